// Node.js as its npm packages bring it, for other machines than this one, too.
import { globSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { CHECKOUT } from '../test-e2e/cluster/paths.ts';
import { run } from '../test-e2e/cluster/run.ts';

/** The version that the project is made and tested with. */
export const nodeVersion = (): string =>
  (JSON.parse(readFileSync(join(CHECKOUT, 'package.json'), 'utf8')) as { devDependencies: Record<string, string> })
    .devDependencies['node'] ?? '';

/**
 * Unpacks Node.js for `platform` (`linux-x64`, `win-x64`) into the new folder `target`: `package/bin/node` and its
 * licence. Throws when npm's registry is out of reach.
 */
export async function unpackNode(platform: string, target: string): Promise<void> {
  mkdirSync(target, { recursive: true });
  const archive = `node-${platform}`;
  await run(['npm', 'pack', '--silent', '--pack-destination', target, `${archive}@${nodeVersion()}`], { cwd: target });
  const [packed = ''] = globSync(`${archive}-*.tgz`, { cwd: target });
  await run(['tar', '-xzf', join(target, packed), '-C', target]);
  rmSync(join(target, packed));
}
