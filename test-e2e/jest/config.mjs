// unit: beside the code, milliseconds. integration: a real API server or database. e2e: the real cluster.
// campaign: what takes too long for every day, on the same. companion: with programs of others that take long to build.
const root = new URL('../..', import.meta.url).pathname;
const kinds = {
  unit: '**/*.test.ts',
  integration: '**/*.itest.ts',
  e2e: '**/*.e2e.ts',
  campaign: '**/*.campaign.ts',
  companion: '**/*.companion.ts',
};

export default {
  rootDir: root,
  projects: Object.entries(kinds).map(([displayName, pattern]) => ({
    displayName,
    rootDir: root,
    roots: ['operator', 'services', 'test-e2e', 'crds', 'charts', 'scripts', 'release'].map(
      folder => `<rootDir>/${folder}`,
    ),
    testMatch: [`<rootDir>/${pattern}`],
    extensionsToTreatAsEsm: ['.ts'],
    transform: { '\\.ts$': '<rootDir>/test-e2e/jest/transform.mjs' },
    testEnvironment: 'node',
  })),
};
