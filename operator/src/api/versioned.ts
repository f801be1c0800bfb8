// The one version number: package.json has it, `make generate` carries it to wherever else it must be written, and a
// test compares. The operator, its image, both charts and the definitions of the resources move together.

const VERSION = String.raw`\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?`;

const after = (text: string) => new RegExp(`(?<=${text})${VERSION}`, 'g');
const IMAGE = after('devshelf-operator:');
const CHART = after('\\b(?:version|appVersion): ');

/** Files that are written by hand except for the version in them, and where in them it stands. */
export const VERSIONED: readonly (readonly [path: string, places: RegExp])[] = [
  ['charts/devshelf-operator/Chart.yaml', CHART],
  ['charts/devshelf-operator-crds/Chart.yaml', CHART],
  ['charts/install/base/deployment.yaml', after('devshelf-operator:|app.kubernetes.io/version: ')],
  ['README.md', IMAGE],
  ['bin/deploy', IMAGE],
  ['docs/install.md', after('devshelf-operator:|newTag: ')],
  ['docs/how-to/air-gapped.md', after('\\$image[:-]')],
  // not where it tells how to go back: there it names the version before
  ['docs/releases.md', after('(?:charts|images)/devshelf-operator-(?:crds-)?|team/devshelf-operator:')],
];

/** `text` with `version` in these places. Throws when there is none: then the pattern is wrong, or the file. */
export function withVersion(path: string, text: string, places: RegExp, version: string): string {
  if (text.search(places) < 0) throw new Error(`${path} says no version where one is expected: ${places}`);
  return text.replace(places, version);
}
