// A release that answers half of the users' requests with 500, from its first request on.
import { runMain } from '../../../services/common/serve.ts';
import { run } from '../../../services/dashboard/run.ts';
import { failHalf, mark } from './faults.ts';

await runMain(() =>
  run(app => {
    mark(app, 'bad');
    failHalf(app);
  }),
);
