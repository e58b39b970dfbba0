/** Unit tests lie beside the code (*.spec.ts); everything that starts servers lies under test/. */
export default {
  testEnvironment: 'node',
  testMatch: ['**/*.spec.ts'],
  testPathIgnorePatterns: ['/node_modules/', '/data/'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      { jsc: { parser: { syntax: 'typescript' }, target: 'es2024' }, module: { type: 'es6' }, sourceMaps: 'inline' },
    ],
  },
  setupFilesAfterEnv: ['./test/retries.ts'],
  reporters: ['default', './test/retries.reporter.ts'],
  testTimeout: 30_000,
  maxWorkers: 2,
};
