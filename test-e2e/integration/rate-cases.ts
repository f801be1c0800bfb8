// What was found by trying before the rules were written, and what they make of it: how errors are counted, and when
// somebody is called. Series as in the cases of the alerts.

type Series = Readonly<Record<string, string>>;

export interface RateCase {
  readonly series: Series;
  /** A question about what the rules made of the series, when it is asked, and its one answer or none. */
  readonly asked: readonly (readonly [expr: string, at: string, answer: number | undefined])[];
}

const DEVSHELF = 'namespace="shop",service="devshelf"';
const DASHBOARD = 'namespace="shop",service="dashboard"';

const byClass = (of: string, good: string, errors: string): Series => ({
  [`http_responses_total{${of},class="2xx"}`]: good,
  [`http_responses_total{${of},class="5xx"}`]: errors,
});
/** Of an image from before the series by class. */
const byOldNames = (all: string, errors: string, of = DASHBOARD): Series => ({
  [`dashboard_requests_total{${of}}`]: all,
  [`dashboard_errors_total{${of}}`]: errors,
});

/** Whether so many are counted; Prometheus 3 leaves out the first edge of a window, and so a tenth of what came at once. */
const counts = (errors: number): string =>
  `abs(sum_over_time(devshelf:http_errors:rate5m{${DEVSHELF}}[1h]) * 30 - ${errors}) < bool 1`;
const PAGES = 'alertname="ServiceErrorBudgetBurn",severity="critical",alertstate="firing"';
const pages = (of = DEVSHELF): string => `count(ALERTS{${PAGES},long="1h",${of}})`;
/** Half minutes, of all pages together. */
const pagesWithin = (hours: number): string => `sum(count_over_time(ALERTS{${PAGES}}[${hours}h]))`;

/** One in ten fails: each tenth minute, at the end of it. */
const SIX_OF_SIXTY = Array.from({ length: 7 }, (_, errors) => `${errors}x19`).join(' ');
/** An hour of ten good answers a second, and then half of them are errors. */
const HALF_FROM_60_MINUTES = ['0+300x120 36150+150x60', '0x120 150+150x60'] as const;

export const RATE_CASES: Readonly<Record<string, RateCase>> = {
  'a series by class begins at 0, before the first request: 7 of 7 errors are counted': {
    series: byClass(DEVSHELF, '0x40', '0 7x39'),
    asked: [
      ['round(devshelf:http_errors:rate5m * 300)', '4m', 7],
      [counts(7), '15m', 1],
    ],
  },
  'one by status is born with its first error: 0 of 7 are, which is why there is one by class': {
    series: { [`http_requests_total{${DEVSHELF},status="500"}`]: '_ 7x39' },
    asked: [['sum(increase(http_requests_total{status=~"5.."}[5m]))', '5m', 0]],
  },
  'one request a minute, 6 of an hour fail: too few for a page, at no moment of it': {
    series: byClass(DEVSHELF, '0+0.5x140', SIX_OF_SIXTY),
    asked: [
      ['devshelf:http_error_ratio:1h > bool 0.072', '62m', 1],
      ['max_over_time((devshelf:http_error_ratio:5m > bool 0.072)[10m:30s])', '62m', 1],
      [counts(6), '65m', 1],
      [pagesWithin(2), '70m', undefined],
    ],
  },
  'twice as many of twice as many: a page': {
    series: byClass(
      DEVSHELF,
      '0+1x140',
      SIX_OF_SIXTY.replace(/\d+(?=x)/g, errors => String(2 * Number(errors))),
    ),
    asked: [[`${pagesWithin(2)} > bool 0`, '70m', 1]],
  },
  'six errors are six while nothing is known of the time before: an average would make more than twice as many of them':
    {
      series: byClass(DEVSHELF, '0+0.5x60', '0x36 6x60'),
      asked: [
        [counts(6), '24m', 1],
        ['avg_over_time(devshelf:http_errors:rate5m[1h]) * 3600 > bool 12', '24m', 1],
        [pagesWithin(1), '30m', undefined],
      ],
    },
  'ten a second, half of them errors after a good hour: a page after thirteen minutes, not before': {
    series: byClass(DEVSHELF, ...HALF_FROM_60_MINUTES),
    asked: [
      [pages(), '72m30s', undefined],
      [pages(), '73m30s', 1],
    ],
  },
  'the same without an hour before: after three': {
    series: byClass(DEVSHELF, '0+150x60', '0+150x60'),
    asked: [
      [pages(), '2m', undefined],
      [pages(), '3m', 1],
    ],
  },
  'an image from before the series by class is counted by its own names': {
    series: byOldNames('0+300x60', '0+150x60'),
    asked: [
      ['devshelf:http_requests:rate5m', '10m', 10],
      ['devshelf:http_errors:rate5m', '10m', 5],
      [pages(DASHBOARD), '20m', 1],
    ],
  },
  'an image that has both is counted once': {
    series: { ...byOldNames('0+300x60', '0+150x60'), ...byClass(DASHBOARD, '0+150x60', '0+150x60') },
    asked: [
      ['devshelf:http_requests:rate5m', '10m', 10],
      ['devshelf:http_errors:rate5m', '10m', 5],
    ],
  },
  'beside each other, as in the release that brings the series by class, both are counted': {
    series: {
      ...byOldNames('0+300x60', '0+150x60', `${DASHBOARD},pod="a"`),
      ...byOldNames('0+60x60', '0+30x60', `${DASHBOARD},pod="b"`),
      ...byClass(`${DASHBOARD},pod="b"`, '0+30x60', '0+30x60'),
    },
    asked: [
      ['devshelf:http_requests:rate5m', '10m', 12],
      ['devshelf:http_errors:rate5m', '10m', 6],
    ],
  },
  'another service has not the dashboard’s names': {
    series: byOldNames('0+300x60', '0+150x60', DEVSHELF),
    asked: [['count(devshelf:http_requests:rate5m)', '10m', undefined]],
  },
};
