import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { generateClient, generatedFolder, SERVICES } from './generate-prisma.ts';
import { temporaryFolder } from './testing/processes.ts';

function contents(folder: string): Record<string, string> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter(entry => entry.isFile());
  const paths = files.map(file => join(file.parentPath, file.name));
  return Object.fromEntries(paths.sort().map(path => [path.slice(folder.length), readFileSync(path, 'utf8')]));
}

test.each(SERVICES)('the committed client of %s is what its schema gives: npm run generate:prisma', service => {
  const folder = temporaryFolder('devshelf-generated-');
  try {
    generateClient(service, join(folder.path, 'generated'));
    expect(contents(generatedFolder(service))).toEqual(contents(join(folder.path, 'generated')));
  } finally {
    folder.remove();
  }
});
