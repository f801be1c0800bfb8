// The operator of the version before this one, built from this repository's history.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bundle } from '../cluster/build.ts';
import { kubectl } from '../cluster/cluster.ts';
import { buildOverlay, type Image, projectImage } from '../cluster/images.ts';
import { CHECKOUT } from '../cluster/paths.ts';
import { run, succeeds } from '../cluster/run.ts';

/** The last commit of that version. */
const PREVIOUS = { version: '0.1.0', commit: 'e9721ee04830d3d0a8b9097ad21f7d4d5f610006' };
const FOLDER = join(CHECKOUT, 'build', 'previous');
const NAME = 'devshelf-operator';

/** @throws Error in a clone whose history does not reach back that far */
export async function previousOperator(): Promise<Image> {
  const { version, commit } = PREVIOUS;
  if (!(await succeeds(['git', '-C', CHECKOUT, 'cat-file', '-e', commit])))
    throw new Error(
      `${commit}, the last of ${version}, is not in this clone: git fetch --unshallow, then run it again`,
    );
  rmSync(FOLDER, { recursive: true, force: true });
  mkdirSync(FOLDER, { recursive: true });
  const archive = join(FOLDER, 'previous.tar');
  const what = ['operator', 'crds', 'charts/install', 'package.json', 'tsconfig.json'];
  await run(['git', '-C', CHECKOUT, 'archive', '--output', archive, commit, ...what]);
  await run(['tar', '--extract', '--directory', FOLDER, '--file', archive]);
  const program = join(FOLDER, 'program');
  await bundle(join(FOLDER, 'operator', 'src', 'main.ts'), program);
  const files = { '/usr/local/bin/operator': program };
  return buildOverlay({ from: await projectImage('operator'), name: NAME, tag: version, files });
}

/** Its manifests over whatever is there; without its definitions of the resources when they are to stay as they are. */
export async function installPrevious({ reference }: Image, { definitions }: { definitions: boolean }): Promise<void> {
  const [name = '', tag = ''] = reference.split(/:(?=[^/]*$)/);
  const folder = join(FOLDER, 'manifests');
  mkdirSync(folder, { recursive: true });
  const kustomization = {
    apiVersion: 'kustomize.config.k8s.io/v1beta1',
    kind: 'Kustomization',
    resources: ['../charts/install/all-namespaces'],
    images: [{ name: NAME, newName: name, newTag: tag }],
  };
  writeFileSync(join(folder, 'kustomization.yaml'), JSON.stringify(kustomization));
  const all = (await kubectl(['kustomize', folder])).split(/^---\n/m);
  const some = all.filter(text => definitions || !/^kind: CustomResourceDefinition$/m.test(text));
  await kubectl(['apply', '-f', '-'], some.join('---\n'));
}
