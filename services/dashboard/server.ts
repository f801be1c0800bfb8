import { runMain } from '../common/serve.ts';
import { run } from './run.ts';

await runMain(() => run());
