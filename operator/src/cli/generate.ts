// Writes docs/reference/cli.md from the table of commands.
import { writeFileSync } from 'node:fs';
import { reference } from './args.ts';

writeFileSync(new URL('../../../docs/reference/cli.md', import.meta.url), reference());
