// A release with no wrong answer: half of the users' requests take a second.
import { runMain } from '../../../services/common/serve.ts';
import { run } from '../../../services/dashboard/run.ts';
import { delayHalf, mark } from './faults.ts';

await runMain(() =>
  run(app => {
    mark(app, 'slow');
    delayHalf(app, 1_000);
  }),
);
