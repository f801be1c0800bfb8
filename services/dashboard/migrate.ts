import { migrateCli } from '../common/migrate/cli.ts';
import { seed } from './seed.ts';

process.exitCode = await migrateCli({ args: process.argv.slice(2), environment: process.env, seed });
