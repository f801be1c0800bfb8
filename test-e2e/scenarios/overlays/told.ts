// A service that keeps the operator's contract, needs no database, and misbehaves as its pods are told, one by one:
//   /told?fail      every user is answered 500 from now on
//   /told?hoard=MIB it takes so much memory
import { createServer } from 'node:http';

const requests = { ok: 0, failed: 0 };
const hoard: Buffer[] = [];
let fails = false;

const metrics = (): string => `# TYPE http_requests_total counter
http_requests_total{route="/",status="200"} ${requests.ok}
http_requests_total{route="/",status="500"} ${requests.failed}
`;

function told(wishes: URLSearchParams): string {
  fails ||= wishes.has('fail');
  hoard.push(Buffer.alloc(Number(wishes.get('hoard') ?? 0) * 2 ** 20, 1));
  return 'as you like';
}

const PAGES: Readonly<Record<string, (query: URLSearchParams) => string>> = {
  '/live': () => '{}',
  '/ready': () => '{"dependencies":{}}',
  '/metrics': metrics,
  '/told': told,
};

const server = createServer(({ url = '/' }, response) => {
  const { pathname, searchParams } = new URL(url, 'http://here');
  const page = PAGES[pathname];
  if (page) return response.end(page(searchParams));
  requests[fails ? 'failed' : 'ok'] += 1;
  return response.writeHead(fails ? 500 : 200).end();
});
server.listen(Number(process.env['PORT'] ?? 8080));
process.on('SIGTERM', () => server.close(() => process.exit(0)));
