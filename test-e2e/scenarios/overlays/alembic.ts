// A migration tool that is not ours and gives no verdict, with the words and exit codes of alembic:
//   alembic upgrade head           writes its revision into alembic_version
//   alembic downgrade base         takes it out
//   alembic current --check-heads  0 when the database is there, 255 when it is not
import pg from 'pg';

const HEAD = 'ae1027a6acf';
const MISUSED = 2;
const NOT_AT_HEAD = 255;

const client = new pg.Client({ connectionString: process.env['DATABASE_URL'], connectionTimeoutMillis: 5_000 });

async function upgrade(): Promise<number> {
  await client.query('CREATE TABLE IF NOT EXISTS alembic_version (version_num VARCHAR(32) PRIMARY KEY)');
  await client.query('INSERT INTO alembic_version VALUES ($1) ON CONFLICT DO NOTHING', [HEAD]);
  return 0;
}

async function downgrade(): Promise<number> {
  await client.query('DELETE FROM alembic_version');
  return 0;
}

async function current(): Promise<number> {
  const known = await client.query("SELECT to_regclass('alembic_version') IS NOT NULL AS is_there");
  if (!known.rows[0].is_there) return NOT_AT_HEAD;
  const { rowCount } = await client.query('SELECT 1 FROM alembic_version WHERE version_num = $1', [HEAD]);
  return rowCount === 1 ? 0 : NOT_AT_HEAD;
}

const commands: Readonly<Record<string, () => Promise<number>>> = {
  'upgrade head': upgrade,
  'downgrade base': downgrade,
  'current --check-heads': current,
};

const command = commands[process.argv.slice(2).join(' ')];
if (!command) process.exit(MISUSED);
await client.connect();
process.exitCode = await command();
await client.end();
