// As `bad`, but only for those who say which language they read, as every browser does: no rehearsal can know.
import { runMain } from '../../../services/common/serve.ts';
import { run } from '../../../services/dashboard/run.ts';
import { failHalf, mark } from './faults.ts';

await runMain(() =>
  run(app => {
    mark(app, 'bad');
    failHalf(app, request => request.headers['accept-language'] !== undefined);
  }),
);
