// A release without a fault.
import { runMain } from '../../../services/common/serve.ts';
import { run } from '../../../services/dashboard/run.ts';
import { mark } from './faults.ts';

await runMain(() => run(app => mark(app, 'good')));
