// The worker as it is, but for tests: it may visit this machine, and takes over soon from one that is gone.
import { runMain } from '../common/serve.ts';
import { runWorker } from './run-worker.ts';
import { politeVisitor } from './visit.ts';

const policy = { allowsAddress: (address: string) => address === '127.0.0.1', allowsPort: () => true };

await runMain(() => runWorker({ visitor: { ...politeVisitor, policy }, lockMs: 2_000 }));
