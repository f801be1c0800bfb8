import { migrateCli } from '../common/migrate/cli.ts';

process.exitCode = await migrateCli({ args: process.argv.slice(2), environment: process.env });
