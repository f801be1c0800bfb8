// A release with a fault that nobody meets until a setting is changed: then it fails like `bad`.
// The setting is a row of the dashboard's own table, so the scenario decides when, and every pod follows within 200 ms.
import pg from 'pg';
import { runMain } from '../../../services/common/serve.ts';
import { run } from '../../../services/dashboard/run.ts';
import { failHalf, mark } from './faults.ts';

const POLL_MS = 200;
const SETTING = "SELECT valor = 'remota' AS broken FROM configuracion_sistema WHERE clave = 'lista_de_precios'";

const pool = new pg.Pool({ connectionString: process.env['DATABASE_URL'], max: 1, connectionTimeoutMillis: 900 });
pool.on('error', () => undefined);
let broken = false;

async function poll(): Promise<void> {
  try {
    const { rows } = await pool.query<{ broken: boolean }>(SETTING);
    broken = rows[0]?.broken ?? false;
  } catch {
    // the database is away: what was true stays true
  }
  setTimeout(poll, POLL_MS).unref();
}

await runMain(async () => {
  await poll();
  await run(app => {
    mark(app, 'late-bad');
    failHalf(app, () => broken);
    app.addHook('onClose', () => pool.end());
  });
});
