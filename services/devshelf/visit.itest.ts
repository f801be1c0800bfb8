import { execFile, execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, expect, test } from '@jest/globals';
import { freePort, temporaryFolder } from '../common/testing/processes.ts';
import { publicOnly } from './addresses.ts';
import { politeVisitor, type Visitor, visit } from './visit.ts';

const never = new AbortController().signal;
const servers: { close(): unknown; closeAllConnections?(): void }[] = [];

afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections?.();
    server.close();
  }
});

async function listen(server: Pick<Server, 'listen' | 'once' | 'address' | 'close'>, host = '127.0.0.1', port = 0) {
  servers.push(server as Server);
  server.listen(port, host);
  await once(server as Server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** A web server of the test's own; the requests it has seen. */
async function serve(handler: RequestListener, host?: string, port?: number) {
  const seen: string[] = [];
  const server = createServer((request, response) => {
    seen.push(`${request.method} ${request.url} ${request.headers.host}`);
    handler(request, response);
  });
  const chosen = await listen(server, host, port);
  return { seen, port: chosen, url: `http://${host ?? '127.0.0.1'}:${chosen}/` };
}

const page =
  (title: string): RequestListener =>
  (_request, response) =>
    response.setHeader('Content-Type', 'text/html; charset=utf-8').end(`<title>${title}</title>`);

/** Loopback is let in, one address only, on any port; names mean what the test says. */
const visitor = (change: Partial<Visitor> = {}, allowed = '127.0.0.1'): Visitor => ({
  policy: { allowsAddress: address => address === allowed, allowsPort: () => true },
  resolve: async () => [{ address: '127.0.0.1', family: 4 }],
  timeoutMs: 5_000,
  ...change,
});

test('a page that answers: its status and its title', async () => {
  const { url, seen, port } = await serve(page('Ñandú'));
  expect(await visit(url, never, visitor())).toEqual({ status: 200, title: 'Ñandú', fault: undefined });
  expect(seen).toEqual([`GET / 127.0.0.1:${port}`]);
});

test.each([404, 410, 500, 503])('an answer %i is an answer', async status => {
  const { url } = await serve((_request, response) => response.writeHead(status).end());
  expect(await visit(url, never, visitor())).toEqual({ status, title: undefined, fault: undefined });
});

test('with the defaults nobody gets to this machine, and no connection is made', async () => {
  const { seen, port } = await serve(page('secret'));
  const anyPort: Visitor = { ...politeVisitor, policy: { ...publicOnly, allowsPort: () => true } };
  for (const host of [
    '127.0.0.1',
    'localhost',
    '[::1]',
    '0.0.0.0',
    '127.1',
    '0x7f000001',
    '2130706433',
    '[::ffff:127.0.0.1]',
  ]) {
    expect(await visit(`http://${host}:${port}/`, never, anyPort)).toMatchObject({ fault: 'not_public' });
  }
  expect(await visit(`http://127.0.0.1:${port}/`, never)).toMatchObject({ fault: 'port' });
  expect(await visit('http://127.0.0.1/', never)).toMatchObject({ fault: 'not_public' });
  expect(seen).toEqual([]);
});

test('a name is resolved once, and the connection goes to the address that was checked', async () => {
  const good = await serve(page('good'), '127.0.0.2');
  const evil = await serve(page('evil'), '127.0.0.3', good.port);
  const answers = ['127.0.0.2', '127.0.0.3'];
  let asked = 0;
  const rebinding = visitor(
    { resolve: async () => [{ address: answers[asked++] ?? '127.0.0.3', family: 4 }] },
    '127.0.0.2',
  );
  const url = `http://rebind.example:${good.port}/`;
  expect(await visit(url, never, rebinding)).toMatchObject({ title: 'good' });
  expect(asked).toBe(1);
  expect(good.seen).toEqual([`GET / rebind.example:${good.port}`]);
  // the second visit resolves again, and finds out
  expect(await visit(url, never, rebinding)).toMatchObject({ fault: 'not_public' });
  expect(evil.seen).toEqual([]);
});

test('one address that is not public spoils the name', async () => {
  const { seen, port } = await serve(page('x'));
  const both = visitor({
    resolve: async () => ['127.0.0.1', '127.0.0.9'].map(address => ({ address, family: 4 })),
  });
  expect(await visit(`http://both.example:${port}/`, never, both)).toMatchObject({ fault: 'not_public' });
  expect(seen).toEqual([]);
});

test('a redirect is followed, and checked like the first hop', async () => {
  const inside = await serve(page('metadata'), '127.0.0.3');
  const { url, seen } = await serve((request, response) => {
    const where: Record<string, string> = {
      '/': '/next',
      '/inside': inside.url,
      '/file': 'file:///etc/passwd',
      '/credentials': 'http://user:password@127.0.0.1/',
      '/broken': 'http://[',
      '/loop': '/loop',
    };
    const location = where[request.url ?? ''];
    if (location === undefined) page('next')(request, response);
    else response.writeHead(302, { Location: location }).end();
  });
  const at = async (path: string) => visit(url + path, never, visitor());
  expect(await at('')).toMatchObject({ status: 200, title: 'next' });
  expect(await at('inside')).toMatchObject({ fault: 'not_public', status: undefined, title: undefined });
  expect(await at('file')).toMatchObject({ fault: 'bad_url' });
  expect(await at('credentials')).toMatchObject({ fault: 'credentials' });
  expect(await at('broken')).toMatchObject({ fault: 'bad_answer' });
  seen.length = 0;
  expect(await at('loop')).toMatchObject({ fault: 'too_many_redirects' });
  expect(seen.length).toBe(6);
  expect(inside.seen).toEqual([]);
});

test('the port is checked at a redirect, too', async () => {
  const { url, port } = await serve((_request, response) =>
    response.writeHead(301, { Location: 'http://127.0.0.1:6379/' }).end(),
  );
  const policy = { allowsAddress: () => true, allowsPort: (asked: number) => asked === port };
  expect(await visit(url, never, visitor({ policy }))).toMatchObject({ fault: 'port' });
});

test('a page without end is read to its title, or to 256 KiB', async () => {
  let sent = 0;
  const { url } = await serve((request, response) => {
    response.setHeader('Content-Type', 'text/html');
    if (request.url === '/titled') response.write('<title>early</title>');
    const more = () => {
      if (response.destroyed) return;
      sent += 65_536;
      response.write('x'.repeat(65_536), () => setTimeout(more, 1));
    };
    more();
  });
  expect(await visit(`${url}titled`, never, visitor())).toMatchObject({ status: 200, title: 'early' });
  sent = 0;
  expect(await visit(url, never, visitor())).toMatchObject({ status: 200, title: undefined });
  expect(sent).toBeLessThan(8 * 1_024 * 1_024); // what was read, and the buffers of two sockets
});

test('what is not a page, or is packed, has no title', async () => {
  const { url } = await serve((request, response) => {
    if (request.url === '/packed')
      response.setHeader('Content-Encoding', 'gzip').setHeader('Content-Type', 'text/html');
    else response.setHeader('Content-Type', 'application/pdf');
    response.end('<title>no</title>');
  });
  expect(await visit(url, never, visitor())).toMatchObject({ status: 200, title: undefined });
  expect(await visit(`${url}packed`, never, visitor())).toMatchObject({ status: 200, title: undefined });
});

test.each([
  ['never answers', () => undefined],
  ['never ends its headers', (socket: { write(text: string): void }) => socket.write('HTTP/1.1 200 OK\r\nX: y')],
])('a server that %s costs no more than the time allowed', async (_case, onConnection) => {
  const port = await listen(
    createTcpServer(socket => {
      socket.on('error', () => undefined);
      onConnection(socket);
    }) as unknown as Server,
  );
  const begun = performance.now();
  expect(await visit(`http://127.0.0.1:${port}/`, never, visitor({ timeoutMs: 300 }))).toMatchObject({
    fault: 'timeout',
  });
  expect(performance.now() - begun).toBeLessThan(10_000);
});

test('a page that never ends has answered', async () => {
  const { url } = await serve((_request, response) =>
    response.setHeader('Content-Type', 'text/html').write('<title>slow</title'),
  );
  expect(await visit(url, never, visitor({ timeoutMs: 300 }))).toMatchObject({ status: 200, fault: undefined });
});

test('a resolver that never answers, too', async () => {
  const stuck = visitor({ resolve: () => new Promise(() => undefined), timeoutMs: 300 });
  expect(await visit('http://slow.example/', never, stuck)).toMatchObject({ fault: 'timeout' });
});

test.each([
  ['nonsense', 'HELLO\r\n\r\n', 'bad_answer'],
  ['endless headers', `HTTP/1.1 200 OK\r\n${'X: y\r\n'.repeat(20_000)}\r\n`, 'bad_answer'],
  ['nothing, and closes', '', 'unreachable'],
])('a server that says %s', async (_case, text, fault) => {
  const port = await listen(
    createTcpServer(socket => {
      socket.on('error', () => undefined);
      socket.end(text);
    }) as unknown as Server,
  );
  expect(await visit(`http://127.0.0.1:${port}/`, never, visitor())).toMatchObject({ fault });
});

test('nobody there; no such name; a name without addresses; not a URL', async () => {
  const port = await freePort();
  expect(await visit(`http://127.0.0.1:${port}/`, never, visitor())).toMatchObject({ fault: 'unreachable' });
  const unknown = visitor({ resolve: () => Promise.reject(Object.assign(new Error(), { code: 'ENOTFOUND' })) });
  expect(await visit('http://no.example/', never, unknown)).toMatchObject({ fault: 'unresolved' });
  expect(await visit('http://no.example/', never, visitor({ resolve: async () => [] }))).toMatchObject({
    fault: 'unresolved',
  });
  for (const url of ['ftp://example.com/', 'file:///etc/passwd', 'gopher://x/', 'nonsense']) {
    expect(await visit(url, never, visitor())).toMatchObject({ fault: 'bad_url' });
  }
  expect(await visit('http://user@example.com/', never, visitor())).toMatchObject({ fault: 'credentials' });
});

test('who has no more time is told so, not that the link is broken', async () => {
  const { url } = await serve(() => undefined);
  const stop = new AbortController();
  const visiting = visit(url, stop.signal, visitor());
  setTimeout(() => stop.abort(new Error('stopping')), 100);
  await expect(visiting).rejects.toThrow('stopping');
});

test('TLS: the certificate must be good for the name, not for the address', async () => {
  const folder = temporaryFolder('devshelf-tls-');
  const [key, cert] = [join(folder.path, 'key.pem'), join(folder.path, 'cert.pem')];
  const subject = ['-subj', '/CN=good.example', '-addext', 'subjectAltName=DNS:good.example'];
  execFileSync(
    'openssl',
    ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-keyout', key, '-out', cert, ...subject],
    { stdio: 'ignore' },
  );
  const names: (string | undefined)[] = [];
  const server = createSecureServer(
    {
      key: readFileSync(key),
      cert: readFileSync(cert),
    },
    page('safe'),
  );
  server.on('tlsClientError', () => undefined);
  server.on('secureConnection', socket => names.push(String(socket.servername)));
  const port = await listen(server as unknown as Server);
  try {
    expect(await visit(`https://good.example:${port}/`, never, visitor())).toMatchObject({ fault: 'tls' });
    // Node reads additional authorities at its start only: the rest runs in a process of its own
    const script = `
      import { visit } from ${JSON.stringify(new URL('visit.ts', import.meta.url).href)};
      const visitor = {
        policy: { allowsAddress: address => address === '127.0.0.1', allowsPort: () => true },
        resolve: async () => [{ address: '127.0.0.1', family: 4 }],
        timeoutMs: 5000,
      };
      const never = new AbortController().signal;
      const visits = ['good', 'other'].map(name => visit('https://' + name + '.example:${port}/', never, visitor));
      console.log(JSON.stringify(await Promise.all(visits)));`;
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], {
      env: { NODE_EXTRA_CA_CERTS: cert },
    });
    expect(JSON.parse(stdout)).toEqual([{ status: 200, title: 'safe' }, { fault: 'tls' }]);
    expect(names).toContain('good.example');
  } finally {
    folder.remove();
  }
}, 30_000);

test('no proxy of the environment stands in between', async () => {
  const proxy = await serve(page('proxy'));
  const { url } = await serve(page('direct'));
  const script = `
    import { visit } from ${JSON.stringify(new URL('visit.ts', import.meta.url).href)};
    const policy = { allowsAddress: address => address === '127.0.0.1', allowsPort: () => true };
    const visitor = { policy, resolve: async () => [], timeoutMs: 5000 };
    console.log(JSON.stringify(await visit(${JSON.stringify(url)}, new AbortController().signal, visitor)));`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], {
    env: { NODE_USE_ENV_PROXY: '1', HTTP_PROXY: proxy.url, http_proxy: proxy.url },
  });
  expect(JSON.parse(stdout)).toEqual({ status: 200, title: 'direct' });
  expect(proxy.seen).toEqual([]);
}, 30_000);
