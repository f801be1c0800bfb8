import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { MAX_METRICS_BYTES, RequestCounter, USER_AGENT, userRequests } from './metrics.ts';

const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000);
console.log(`evidence/metrics properties: SEED=${seed}`);
fc.configureGlobal({ seed });

const known = (requests: number, errors: number) => ({ known: true, requests, errors });

const SERVICE = `# HELP http_requests_total Requests answered.
# TYPE http_requests_total counter
http_requests_total{method="GET",route="/resources",status="200"} 40
http_requests_total{method="GET",route="/resources",status="404"} 3
http_requests_total{method="POST",route="/token",status="503"} 2
http_requests_total{method="POST",route="/token",status="500"} 1
http_requests_total{method="GET",route="/health",status="200"} 900
http_requests_total{method="GET",route="/ready",status="503"} 70
http_requests_total{method="GET",route="/metrics",status="200"} 800
# TYPE http_request_duration_seconds histogram
http_request_duration_seconds_count{method="GET",route="/resources",status="200"} 40
`;

test('how often a Prometheus came, where the pod counts it', () => {
  const read = (text: string, slowAfter?: number) => {
    const counter = new RequestCounter(slowAfter);
    counter.add(Buffer.from(text));
    counter.counts();
    return counter.prometheusScrapes();
  };
  const counted = '# TYPE scrapes_total counter\nscrapes_total{by="operator"} 9\nscrapes_total{by="prometheus"} 4\n';
  expect(read(SERVICE)).toBeUndefined();
  expect([read(SERVICE + counted), read(counted + SERVICE, 0.5)]).toEqual([4, 4]);
  expect(read(`${SERVICE}scrapes_total{by="prometheus"} many\nscrapes_total_x{by="prometheus"} 7\n`)).toBeUndefined();
});

test.each([
  ['users’ requests, without probes and scrapes; 4xx is no error', SERVICE, known(46, 3)],
  [
    'the label-free counters of the Python originals',
    'dashboard_requests_total 12\ndashboard_errors_total 4\n',
    known(12, 4),
  ],
  ['a counter that nobody has used yet', '# TYPE http_requests_total counter\n', known(0, 0)],
  ['both: the labelled one', `${SERVICE}dashboard_requests_total 9999\ndashboard_errors_total 1\n`, known(46, 3)],
  ['the last line may lack its newline', 'http_requests_total{route="/",status="500"} 7', known(7, 7)],
  ['windows line ends', 'dashboard_requests_total 5\r\ndashboard_errors_total 1\r\n', known(5, 1)],
  ['floats, exponents, timestamps', 'http_requests_total{route="/",status="200"} 1e+06 1700000000000\n', known(1e6, 0)],
  ['an exemplar', 'http_requests_total{route="/",status="200"} 3 # {trace_id="x"} 1 2\n', known(3, 0)],
  ['a brace, a quote and a comma in a label', 'http_requests_total{route="/a}\\",{b",status="500"} 2\n', known(2, 2)],
  ['labels in another order', 'http_requests_total{status="500",route="/health"} 2\n', known(0, 0)],
  [
    'a metric whose name only begins alike',
    'http_requests_total_x 9\nhttp_requests_total{route="/",status="200"} 1\n',
    known(1, 0),
  ],
  [
    'another metric beside it, whose name begins alike, and the one that is there',
    'http_requests_total_x 9\ndashboard_requests_total_by_path 7\ndashboard_requests_total 5\ndashboard_errors_total 1\n',
    known(5, 1),
  ],
  ['a counter that OpenMetrics declares and nobody has used', '# TYPE http_requests counter\n# EOF\n', known(0, 0)],
  [
    'statuses that are given by their class',
    'http_requests_total{status="2xx"} 4\nhttp_requests_total{status="4XX"} 2\nhttp_requests_total{status="5xx"} 3\n',
    known(9, 3),
  ],
  [
    'requests in flight, where the service says them',
    'http_requests_total{route="/",status="200"} 3\nhttp_requests_in_flight 2\n',
    { ...known(3, 0), inFlight: 2 },
  ],
  [
    'requests in flight that cannot be read as if they were not said',
    'http_requests_total{route="/",status="200"} 3\nhttp_requests_in_flight -1\n',
    known(3, 0),
  ],
  [
    'what was shed for overload, by all reasons',
    'http_requests_total{route="/",status="503"} 9\nhttp_requests_shed_total{reason="event_loop"} 4\nhttp_requests_shed_total{reason="database"} 3\n',
    { ...known(9, 9), shed: 7 },
  ],
  [
    'nothing shed, where the service says so',
    'http_requests_total{route="/",status="503"} 9\nhttp_requests_shed_total{reason="database"} 0\n',
    { ...known(9, 9), shed: 0 },
  ],
  [
    'as shed no more than was answered 503 to users',
    'http_requests_total{route="/",status="503"} 2\nhttp_requests_total{route="/",status="500"} 7\nhttp_requests_total{route="/ready",status="503"} 5\nhttp_requests_shed_total{reason="database"} 8\n',
    { ...known(9, 9), shed: 2 },
  ],
  [
    'as not said what was shed, where that cannot be read',
    'http_requests_total{route="/",status="503"} 2\nhttp_requests_shed_total{reason="database"} many\n',
    known(2, 2),
  ],
  ['a blank before the labels', 'http_requests_total {route="/",status="500"} 2\n', known(2, 2)],
])('reads %s', (_case, text, expected) => {
  expect(userRequests(text)).toEqual(expected);
});

test.each([
  ['nothing', '', 'neither http_requests_total nor dashboard_requests_total'],
  ['a page', '<html>it works</html>', 'neither'],
  ['NaN', 'http_requests_total{status="200"} NaN\n', 'that can be read'],
  ['infinity', 'http_requests_total{status="200"} +Inf\n', 'that can be read'],
  ['a negative count', 'http_requests_total{status="200"} -4\n', 'that can be read'],
  ['half a request', 'http_requests_total{status="200"} 1.5\n', 'that can be read'],
  ['no value', 'http_requests_total{status="200"}\n', 'that can be read'],
  ['no status', 'http_requests_total{route="/"} 4\n', 'that can be read'],
  ['a status of two digits', 'http_requests_total{status="50"} 1\n', 'that can be read'],
  ['a status of four', 'http_requests_total{status="5000"} 1\n', 'that can be read'],
  ['a status in words', 'http_requests_total{status="error"} 1\n', 'that can be read'],
  ['only metrics whose names begin alike', 'http_requests_total_x 9\ndashboard_requests_total_x 9\n', 'neither'],
  ['labels that do not end', 'http_requests_total{status="200 4\n', 'that can be read'],
  ['labels without quotes', 'http_requests_total{status=200} 4\n', 'that can be read'],
  ['counters beyond what a number holds', 'http_requests_total{status="200"} 1e30\n', 'that can be read'],
  ['requests without errors', 'dashboard_requests_total 12\n', 'dashboard_errors_total has no readable value'],
  ['more errors than requests', 'dashboard_requests_total 1\ndashboard_errors_total 2\n', 'more errors'],
  ['far too much', ' '.repeat(MAX_METRICS_BYTES + 1), 'longer than'],
])('says why it cannot read %s', (_case, text, why) => {
  expect(userRequests(text)).toEqual({ known: false, why: expect.stringContaining(why) });
});

test('never throws, never counts more errors than requests', () => {
  const line = fc.tuple(
    fc.constantFrom('http_requests_total', 'dashboard_requests_total', 'dashboard_errors_total', '#'),
    fc.oneof(fc.constant(''), fc.string(), fc.constantFrom('{status="500"}', '{route="/x",status="200"}')),
    fc.oneof(fc.string(), fc.integer().map(String)),
  );
  fc.assert(
    fc.property(fc.array(line), lines => {
      const counts = userRequests(lines.map(([name, labels, value]) => `${name}${labels} ${value}`).join('\n'));
      return !counts.known || (counts.errors >= 0 && counts.requests >= counts.errors);
    }),
  );
});

test('readings say the version of the operator', () => {
  const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'));
  expect(USER_AGENT).toBe(`devshelf-operator/${version}`);
});

/** As they come from a socket: in any pieces, cut within a character, too. */
const inPieces = (text: string, sizes: readonly number[]) => {
  const counter = new RequestCounter();
  const bytes = Buffer.from(text);
  let start = 0;
  for (const size of sizes) {
    counter.add(bytes.subarray(start, start + size));
    start += size;
  }
  counter.add(bytes.subarray(start));
  return counter.counts();
};

test('in whatever pieces an answer comes, it says the same', () => {
  const text = `${SERVICE}# é…\nhttp_requests_total{route="/ü",status="500"} 5\r\nhttp_requests_in_flight 3`;
  fc.assert(
    fc.property(fc.array(fc.nat(60), { maxLength: 60 }), sizes => {
      expect(inPieces(text, sizes)).toEqual({ known: true, requests: 51, errors: 8, inFlight: 3 });
    }),
  );
});

test('nothing that the container writes is said back', () => {
  const secret = 'hunter2';
  for (const line of [
    `http_requests_total{status="${secret}"} 1`,
    `http_requests_total{status="200"} ${secret}`,
    `http_requests_total{${secret}} 1`,
    `dashboard_requests_total ${secret}`,
    `${secret} 1`,
    `http_requests_total{a="${'x'.repeat(5_000)}${secret}"} 1`,
  ])
    expect(JSON.stringify(userRequests(`${line}\n`))).not.toContain(secret);
});

/** Processor time, not the clock's: others may have the machine. Milliseconds. */
function busyMs(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

test.each([
  ['samples only', 'http_requests_total{method="GET",route="/api/summary",status="200"} 1\n'],
  ['lines without an end', 'http_requests_total{a="'],
  ['empty lines', '\n'],
  ['quotes', `http_requests_total{a="${'\\"'.repeat(100)}"} 1\n`],
  ['declarations', '# TYPE http_requests\n'],
  ['labels', `http_requests_total{${'a="",'.repeat(700)}status="200"} 1\n`],
])('one piece of %s keeps nobody waiting for 50 ms', (_what, part) => {
  const piece = Buffer.from(part.repeat(Math.ceil(65_536 / part.length)).slice(0, 65_536));
  const times = Array.from({ length: 5 }, () => busyMs(() => new RequestCounter().add(piece)));
  expect(Math.min(...times)).toBeLessThan(50);
});

test('routes that failed are told with their counts, those that did not are not, nor are probes', () => {
  const text = `http_requests_total{method="GET",route="/api/summary",status="200"} 7
http_requests_total{method="GET",route="/api/summary",status="500"} 3
http_requests_total{method="POST",route="/api/summary",status="502"} 1
http_requests_total{method="GET",route="/api/trends",status="200"} 9
http_requests_total{method="GET",route="/ready",status="503"} 4
http_requests_total{method="GET",route="/recent-requests",status="500"} 4
`;
  const counter = new RequestCounter();
  counter.add(Buffer.from(text));
  expect(counter.counts()).toEqual({ known: true, requests: 20, errors: 4 });
  expect(counter.failingRoutes()).toEqual(new Map([['/api/summary', { requests: 11, errors: 4 }]]));
});
