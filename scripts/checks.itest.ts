import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { freePort } from '../services/common/testing/processes.ts';
import { type Answer, API_KEY, runScript, startDashboard, startProxy, type Variables } from './testing.ts';

const SCRIPTS = readdirSync(import.meta.dirname).filter(file => file.endsWith('.sh'));
const RUNNABLE = SCRIPTS.filter(file => file !== 'lib.sh');

const withKey: Variables = { DASHBOARD_API_KEY: API_KEY };
const metrics = (args: readonly string[], variables = withKey) =>
  runScript('check_metrics_dashboard.sh', args, variables);
const headers = (...args: readonly string[]) => runScript('check_security_headers.sh', args);
const preflight = (args: readonly string[], variables = withKey) => runScript('preflight_rc.sh', args, variables);
const smoke = (args: readonly string[], variables = withKey) =>
  runScript('smoke_dashboard_staging.sh', args, variables);

let dashboard: Awaited<ReturnType<typeof startDashboard>>;
let nobody: string;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'devshelf-scripts-'));
  nobody = `http://127.0.0.1:${await freePort()}`;
  dashboard = await startDashboard();
}, 120_000);
afterAll(async () => {
  await dashboard?.remove();
  rmSync(folder, { recursive: true, force: true });
});

/** Runs `work` with the base of a proxy that changes the dashboard's answers. */
async function behind<T>(
  change: (answer: Answer, path: string) => void,
  work: (base: string) => Promise<T>,
): Promise<T> {
  const proxy = await startProxy(dashboard.base, change);
  try {
    return await work(proxy.base);
  } finally {
    await proxy.stop();
  }
}

const without = (header: string) => (answer: Answer) => {
  delete answer.headers[header];
};

const status = (code: number, only: string) => (answer: Answer, path: string) => {
  if (path === only) answer.status = code;
};

const errors = (count: number) => (answer: Answer) => {
  answer.body = answer.body.replace(/^dashboard_errors_total .*$/m, `dashboard_errors_total ${count}`);
};

describe('all scripts', () => {
  test('shellcheck finds nothing', () => {
    expect(execFileSync('shellcheck', ['-x', ...SCRIPTS], { cwd: import.meta.dirname, encoding: 'utf8' })).toBe('');
  });

  test.each(RUNNABLE)('%s --help and the reference name each of its flags and exit codes', async script => {
    const { code, out } = await runScript(script, ['--help']);
    expect(code).toBe(0);
    expect(out).toContain(`${script} `);
    expect(out).toContain('Códigos: 0 ');
    const reference = readFileSync(join(import.meta.dirname, '../docs/reference/scripts.md'), 'utf8');
    const section = reference.split(/^## /m).find(text => text.startsWith(script)) ?? '';
    for (const [, exit] of out.slice(out.indexOf('Códigos')).matchAll(/(\d+) \p{L}/gu)) {
      expect(section).toContain(`\n| ${exit} | `);
    }
    const source = readFileSync(join(import.meta.dirname, script), 'utf8');
    const flags = [...source.matchAll(/^ {4}(-[\w-]+)(?: \| (--\w+))?\)/gm)].flatMap(([, ...names]) => names);
    const letters = /getopts '([^']+)'/.exec(source)?.[1]?.replaceAll(':', '') ?? '';
    for (const flag of [...flags, ...[...letters].map(letter => `-${letter}`)]) {
      if (flag === undefined) continue;
      expect(out).toContain(flag);
      if (flag !== '--help' && !(flag === '-h' && out.includes('-h, --help'))) expect(section).toContain(flag);
    }
    expect(flags.length + letters.length).toBeGreaterThan(2);
  });

  test.each(RUNNABLE)('%s refuses an unknown flag and a flag without its value with 1, and says so', async script => {
    const unknown = await runScript(script, ['-Z'], withKey);
    expect([unknown.code, unknown.err]).toEqual([1, expect.stringContaining('Argumento desconocido: -Z')]);
    const flag = script === 'check_migrations.sh' ? '-s' : '-k';
    const valueless = await runScript(script, [flag], withKey);
    expect([valueless.code, valueless.err]).toEqual([1, expect.stringContaining(`Falta el valor de ${flag}`)]);
  });
});

describe('check_metrics_dashboard.sh', () => {
  test('0: a healthy dashboard', async () => {
    const { code, out, err } = await metrics(['-u', dashboard.base]);
    expect([code, err]).toEqual([0, '']);
    expect(out).toMatch(/Requests totales: \d+\n/);
    expect(out).toMatch(/p95 duration \(ms\): \d+\.\d\n/);
    expect(out).toContain('(umbral 2%)');
  });

  test('1: what cannot be a threshold or a URL', async () => {
    expect((await metrics(['-t', 'dos'])).err).toContain('-t debe ser un número');
    expect((await metrics(['-t', '1.2.3'])).code).toBe(1);
    expect((await metrics(['-u', 'localhost:8080'])).code).toBe(1);
    expect((await metrics(['-u', dashboard.base, 'more'])).code).toBe(1);
  });

  test('2: no key', async () => {
    expect((await metrics(['-u', dashboard.base], {})).code).toBe(2);
  });

  test('the key comes from -k, the environment or a file', async () => {
    const file = join(folder, 'key');
    writeFileSync(file, `${API_KEY}\n`);
    expect((await metrics(['-u', dashboard.base, '-k', API_KEY], {})).code).toBe(0);
    expect((await metrics(['-u', dashboard.base], { DASHBOARD_API_KEY_FILE: file })).code).toBe(0);
    expect((await metrics(['-u', dashboard.base, '-k', API_KEY], { DASHBOARD_API_KEY: 'wrong' })).code).toBe(0);
    expect((await metrics(['-u', dashboard.base], { DASHBOARD_API_KEY_FILE: '/nonexistent/key' })).code).toBe(1);
    expect((await metrics(['-u', dashboard.base, '-k', 'one\r\nX-Other: two'])).code).toBe(1);
  });

  test('3: nobody there, a wrong key, a redirection, an answer that breaks off; each says what to do', async () => {
    const silent = await metrics(['-u', nobody]);
    expect([silent.code, silent.err]).toEqual([3, expect.stringContaining('000')]);
    const wrong = await metrics(['-u', dashboard.base, '-k', 'wrong']);
    expect([wrong.code, wrong.err]).toEqual([3, expect.stringContaining('clave rechazada')]);
    const redirect = (answer: Answer) => {
      answer.status = 307;
      answer.headers['location'] = 'https://elsewhere.example/metrics';
    };
    const redirected = await behind(redirect, base => metrics(['-u', base]));
    expect([redirected.code, redirected.err]).toEqual([3, expect.stringContaining('https://elsewhere.example')]);
    const cut = (answer: Answer) => {
      answer.headers['content-length'] = String(answer.body.length + 10);
    };
    const broken = await behind(cut, base => metrics(['-u', base], { ...withKey, DASHBOARD_TIMEOUT: '1' }));
    expect(broken.code).toBe(3);
  });

  test.each(['dashboard_requests_total', 'dashboard_errors_total'])('4: without %s', async name => {
    const drop = (answer: Answer) => {
      answer.body = answer.body.replaceAll(new RegExp(`^${name} .*$`, 'gm'), '');
    };
    const { code, err } = await behind(drop, base => metrics(['-u', base]));
    expect([code, err]).toEqual([4, expect.stringContaining(name)]);
  });

  test('5: over the threshold, once the database is down', async () => {
    const other = await startDashboard();
    try {
      await other.postgres.stop();
      await fetch(`${other.base}/api/summary`, { headers: { 'x-api-key': API_KEY } });
      expect(await metrics(['-u', other.base])).toMatchObject({ code: 5, err: expect.stringContaining('[FAIL]') });
      expect((await metrics(['-u', other.base, '-t', '100'])).code).toBe(0);
      // and the others take a database that is down for what it is
      expect((await smoke(['-h', other.base])).code).toBe(0);
      const { code, out } = await preflight(['-u', other.base, '-t', '100']);
      expect([code, out]).toEqual([0, expect.stringContaining('[WARN] /api/summary 500')]);
    } finally {
      await other.remove();
    }
  }, 120_000);

  test('the key is never among the arguments of a process that the script starts', async () => {
    // a curl that says how it was called
    writeFileSync(join(folder, 'curl'), `#!/bin/sh\necho "$@" >> '${folder}/calls'\nexec ${which('curl')} "$@"\n`, {
      mode: 0o755,
    });
    const variables = { ...withKey, PATH: `${folder}:${process.env['PATH']}` };
    expect((await preflight(['-u', dashboard.base], variables)).code).toBe(0);
    const calls = readFileSync(join(folder, 'calls'), 'utf8');
    expect(calls).toContain('/metrics');
    expect(calls).not.toContain(API_KEY);
  });
});

const which = (program: string) => execFileSync('which', [program], { encoding: 'utf8' }).trim();

describe('check_security_headers.sh', () => {
  test('0: ours, whose lines end with CR as all do', async () => {
    const { code, out } = await headers('-u', `${dashboard.base}/`);
    expect(code).toBe(0);
    expect(out).toContain('[INFO] X-Frame-Options OK (DENY)\n');
    expect((await headers('-u', dashboard.base, '-k', API_KEY)).code).toBe(0);
  });

  test('0: HSTS where it is expected', async () => {
    const secure = await dashboard.another({ DASHBOARD_ENABLE_HSTS: 'true' });
    try {
      expect((await headers('-u', secure.base, '--expect-hsts')).code).toBe(0);
      expect((await preflight(['-u', secure.base, '--prod'])).code).toBe(0);
    } finally {
      await secure.stop();
    }
  });

  test('2: without a URL', async () => {
    expect((await headers()).code).toBe(2);
  });

  test.each([
    'content-security-policy',
    'x-content-type-options',
    'x-frame-options',
    'referrer-policy',
    'permissions-policy',
  ])('10: a proxy takes %s away', async header => {
    const { code, out } = await behind(without(header), base => headers('-u', base));
    expect(code).toBe(10);
    expect(out.toLowerCase()).toContain(`[fail] falta ${header}`);
  });

  test('10: a header with another value, no HSTS, another CSP, nobody', async () => {
    const framed = (answer: Answer) => {
      answer.headers['x-frame-options'] = 'ALLOWALL';
    };
    expect((await behind(framed, base => headers('-u', base))).code).toBe(10);
    expect((await headers('-u', dashboard.base, '--expect-hsts')).code).toBe(10);
    // taken literally, not as a pattern
    expect((await headers('-u', dashboard.base, '--csp-prefix', 'default-src *')).code).toBe(10);
    expect((await headers('-u', dashboard.base, '--csp-prefix', "default-src 'self'; ")).code).toBe(0);
    expect((await headers('-u', nobody)).code).toBe(10);
  });
});

describe('preflight_rc.sh', () => {
  test('0: everything passes; a p95 over its threshold warns only', async () => {
    const { code, out } = await preflight(['-u', dashboard.base, '-p95', '0']);
    expect(code).toBe(0);
    expect(out).toContain('[WARN] p95');
    expect(out).toContain('[OK] Preflight RC completado con éxito');
  });

  test('2: no URL, no key', async () => {
    expect((await preflight([])).code).toBe(2);
    expect((await preflight(['-u', dashboard.base], {})).code).toBe(2);
  });

  test('3: a script that it needs is not beside it', async () => {
    cpSync(join(import.meta.dirname, 'preflight_rc.sh'), join(folder, 'preflight_rc.sh'));
    const { code, err } = await runScript(join(folder, 'preflight_rc.sh'), []);
    expect([code, err]).toEqual([3, expect.stringContaining('lib.sh')]);
  });

  test.each([
    ['no key is asked for', status(200, '/api/summary'), '/api/summary sin API Key debe dar 401 y dio 200'],
    ['no CSV', status(500, '/api/export/summary.csv'), '/api/export/summary.csv: 500'],
    ['/health is a 404', status(404, '/health'), '/health 404'],
    ['a header is missing', without('x-frame-options'), 'Headers de seguridad fallan'],
    ['too many errors', errors(1e6), 'Métricas fuera de umbral'],
  ])('10: %s', async (_case, change, why) => {
    const { code, out } = await behind(change, base => preflight(['-u', base]));
    expect([code, out]).toEqual([10, expect.stringContaining(`[FAIL] ${why}`)]);
  });

  test('10: no HSTS in production, a wrong key, nobody', async () => {
    const plain = await preflight(['-u', dashboard.base, '--prod']);
    expect([plain.code, plain.out]).toEqual([10, expect.stringContaining('[FAIL] Falta Strict-Transport-Security')]);
    const wrong = await preflight(['-u', dashboard.base, '-k', 'wrong']);
    expect([wrong.code, wrong.out]).toEqual([10, expect.stringContaining('clave rechazada')]);
    const silent = await preflight(['-u', nobody]);
    expect([silent.code, silent.out]).toEqual([10, expect.stringContaining('/health 000: sin respuesta')]);
  });
});

describe('smoke_dashboard_staging.sh', () => {
  test('0: host and port by flags, by environment, in one word, as a URL', async () => {
    const port = String(dashboard.port);
    expect((await smoke(['-h', '127.0.0.1', '-p', port, '-k', API_KEY], {})).code).toBe(0);
    expect((await smoke([], { ...withKey, DASHBOARD_HOST: '127.0.0.1', DASHBOARD_PORT: port })).code).toBe(0);
    expect((await smoke(['-h', `127.0.0.1:${port}`])).code).toBe(0);
    expect((await smoke(['-h', dashboard.base])).code).toBe(0);
    expect((await smoke(['-h', 'http://127.0.0.1', '-p', port])).out).toContain('[OK] Smoke test exitoso');
  });

  test('1: no host, no key, no port; a wrong key, nobody, no key asked for', async () => {
    expect((await smoke([])).err).toContain('Falta el host');
    expect((await smoke(['-h', dashboard.base], {})).err).toContain('Falta la API Key');
    expect((await smoke(['-h', '127.0.0.1', '-p', 'tcp://10.0.0.1:80'])).code).toBe(1);
    const wrong = await smoke(['-h', dashboard.base, '-k', 'wrong']);
    expect([wrong.code, wrong.err]).toEqual([1, expect.stringContaining('/metrics => 401 (esperado 200)')]);
    expect((await smoke(['-h', nobody])).code).toBe(1);
    const bare = (answer: Answer, path: string) => {
      if (path === '/metrics') answer.body = '';
    };
    const uncounted = await behind(bare, base => smoke(['-h', base]));
    expect([uncounted.code, uncounted.err]).toEqual([1, expect.stringContaining('sin dashboard_requests_total')]);
    const open = await behind(status(200, '/api/summary'), base => smoke(['-h', base]));
    expect([open.code, open.err]).toEqual([1, expect.stringContaining('sin API Key => 200 (esperado 401)')]);
  });
});
