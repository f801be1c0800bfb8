// What krew (https://krew.sigs.k8s.io/docs/developer-guide/plugin-manifest/) installs the command line by.
import type { Archive } from './executables.ts';

/** `base` is where the files of a release lie, without a slash at its end. */
export const krewManifest = (version: string, base: string, archives: readonly Archive[]): object => ({
  apiVersion: 'krew.googlecontainertools.github.com/v1alpha2',
  kind: 'Plugin',
  metadata: { name: 'devshelf' },
  spec: {
    version: `v${version}`,
    shortDescription: 'What runs, what it waits for, and why a release was taken back',
    description:
      'Answers questions about DevShelfDeployment and DashboardDeployment resources: what runs and what it waits for, why a release was taken back, which releases there were; and asks the operator to try again, to pause or to rotate a key.',
    caveats: 'On macOS it is a script, and needs Node.js 20 or newer on your PATH.',
    platforms: archives.flatMap(({ file, sha256, bin, targets }) =>
      targets.map(({ os, arch }) => ({
        selector: { matchLabels: { os, arch } },
        uri: `${base}/${file}`,
        sha256,
        bin,
      })),
    ),
  },
});
