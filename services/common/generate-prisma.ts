import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from './testing/processes.ts';

/** The dashboard's figures are aggregates in SQL; it has no client. */
export const SERVICES = ['devshelf'] as const;

const ROOT = new URL('../..', import.meta.url).pathname;
const PRISMA = join(ROOT, 'node_modules/prisma/build/index.js');

export const generatedFolder = (service: (typeof SERVICES)[number]) => join(ROOT, 'services', service, 'generated');

/**
 * Writes the typed client of a service's schema into `output`. It is made in a folder of its own, because Prisma writes the paths that it sees into the client. Prisma also asks for its schema engine without
 * using it here; a stub stands in, for it cannot be downloaded where only package registries are reached.
 */
export function generateClient(service: (typeof SERVICES)[number], output: string): void {
  const folder = temporaryFolder('devshelf-prisma-');
  try {
    const stub = join(folder.path, 'schema-engine');
    writeFileSync(stub, '#!/bin/sh\n');
    chmodSync(stub, 0o755);
    mkdirSync(join(folder.path, 'prisma'));
    cpSync(join(ROOT, 'services', service, 'prisma/schema.prisma'), join(folder.path, 'prisma/schema.prisma'));
    execFileSync(process.execPath, [PRISMA, 'generate', '--no-hints'], {
      cwd: folder.path,
      stdio: 'pipe',
      env: { ...process.env, PRISMA_SCHEMA_ENGINE_BINARY: stub, CHECKPOINT_DISABLE: '1' },
    });
    rmSync(output, { recursive: true, force: true });
    cpSync(join(folder.path, 'generated'), output, { recursive: true });
  } finally {
    folder.remove();
  }
}

if (import.meta.main) {
  for (const service of SERVICES) generateClient(service, generatedFolder(service));
}
