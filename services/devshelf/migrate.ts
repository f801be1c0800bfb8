import { migrateMain } from '../common/migrate/cli.ts';
import { seed } from './seed.ts';

process.exitCode = await migrateMain({ args: process.argv.slice(2), environment: process.env, seed });
