// The limit: what Fastify and the bare driver do, with nothing around. The same statements as the services', the same
// number of connections; no log, no metrics, no validation, no headers, no rate limit. `/cached` and `/page` say what
// Fastify gives for an answer that is in memory already.
import fastify from 'fastify';
import { Pool } from 'pg';
import { createFigures, type Sql } from '../../services/dashboard/figures.ts';

const { DEVSHELF_URL, DASHBOARD_URL, PAGE_BYTES, PORT } = process.env;

const connect = (connectionString: string | undefined) => new Pool({ connectionString, max: 5 });
const devshelf = connect(DEVSHELF_URL);
const dashboard = connect(DASHBOARD_URL);
const sql = (async (text: string, values: unknown[] = []) => (await dashboard.query(text, values)).rows) as Sql;
const figures = createFigures({ sql, cache: { get: (_key, compute) => compute() } });

const COLUMNS = 'title, description, url, type, id, created_at';
const page = `<!doctype html>${'x'.repeat(Number(PAGE_BYTES))}`;
const app = fastify();

app.get('/live', async () => ({}));
app.get('/api/v1/resources/', async () => {
  const list = `SELECT ${COLUMNS} FROM resources ORDER BY created_at, id LIMIT 20 OFFSET 0`;
  return (await devshelf.query({ text: list })).rows;
});
app.get<{ Params: { id: string } }>('/api/v1/resources/:id', async ({ params }) => {
  return (await devshelf.query(`SELECT ${COLUMNS} FROM resources WHERE id = $1`, [params.id])).rows[0];
});
app.get('/api/summary', () => figures.summary());
app.get('/api/providers', () => figures.providers());

const [summary, providers] = await Promise.all([figures.summary(), figures.providers()]);
app.get('/cached/api/summary', async () => summary);
app.get('/cached/api/providers', async () => providers);
app.get('/', async (_request, reply) => reply.type('text/html; charset=utf-8').send(page));

await app.listen({ host: '127.0.0.1', port: Number(PORT) });
process.on('SIGTERM', () => process.exit(0));
