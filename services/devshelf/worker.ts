import { runMain } from '../common/serve.ts';
import { runWorker } from './run-worker.ts';

await runMain(runWorker);
