import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { MAX_METRICS_BYTES, userRequests } from './metrics.ts';

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
    '5xx only: not 50, not 5000, not 5xx',
    'http_requests_total{status="50"} 1\nhttp_requests_total{status="5xx"} 1\n',
    known(2, 0),
  ],
])('reads %s', (_case, text, expected) => {
  expect(userRequests(text)).toEqual(expected);
});

test.each([
  ['nothing', '', 'neither http_requests_total nor dashboard_requests_total'],
  ['a page', '<html>it works</html>', 'neither'],
  ['NaN', 'http_requests_total{status="200"} NaN\n', 'cannot read'],
  ['infinity', 'http_requests_total{status="200"} +Inf\n', 'cannot read'],
  ['a negative count', 'http_requests_total{status="200"} -4\n', 'cannot read'],
  ['half a request', 'http_requests_total{status="200"} 1.5\n', 'cannot read'],
  ['no value', 'http_requests_total{status="200"}\n', 'cannot read'],
  ['no status', 'http_requests_total{route="/"} 4\n', 'cannot read'],
  ['labels that do not end', 'http_requests_total{status="200 4\n', 'cannot read'],
  ['labels without quotes', 'http_requests_total{status=200} 4\n', 'cannot read'],
  ['counters beyond what a number holds', 'http_requests_total{status="200"} 1e30\n', 'cannot read'],
  ['requests without errors', 'dashboard_requests_total 12\n', 'dashboard_errors_total has no readable value'],
  ['more errors than requests', 'dashboard_requests_total 1\ndashboard_errors_total 2\n', 'more errors'],
  ['far too much', ' '.repeat(MAX_METRICS_BYTES + 1), 'larger than'],
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
