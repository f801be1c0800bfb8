// Types are stripped, nothing else changes: the same code runs under `node file.ts` and under jest.
import { transformSync } from 'esbuild';

export default {
  process(source, filename) {
    const { code, map } = transformSync(source, {
      loader: 'ts',
      format: 'esm',
      target: 'node24',
      sourcefile: filename,
      sourcemap: true,
    });
    return { code, map };
  },
};
