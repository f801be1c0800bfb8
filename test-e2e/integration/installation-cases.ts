// Operators of two installations, in namespaces of their own, and what is said when one of them has gone.
import type { RateCase } from './rate-cases.ts';

const leads = (namespace: string, pod = '1'): string =>
  `devshelf_operator_leader{namespace="${namespace}",pod="${pod}"}`;
const down = (labels = ''): string => `count(ALERTS{alertname="OperatorDown",alertstate="firing"${labels}})`;
const named = (namespace: string): string => down(`,namespace="${namespace}"`);
const DAY = 2_880;

/** What leads goes at the eleventh minute. */
export const INSTALLATION_CASES: Readonly<Record<string, RateCase>> = {
  'one of two dies, and its pods are gone: it is named after five minutes, and the other is not': {
    series: { [leads('a')]: '1x20 stale', [leads('b')]: '1x80' },
    asked: [
      [down(), '15m', undefined],
      [named('a'), '16m', 1],
      [down(), '16m', 1],
    ],
  },
  'one of two leads no more, and its pod is still there': {
    series: { [leads('a')]: '1x20 0x60', [leads('b')]: '1x80' },
    asked: [
      [named('a'), '16m', 1],
      [down(), '16m', 1],
    ],
  },
  'one of two never led': {
    series: { [leads('a')]: '0x80', [leads('b')]: '1x80' },
    asked: [
      [named('a'), '16m', 1],
      [down(), '16m', 1],
    ],
  },
  'both die: both are named': {
    series: { [leads('a')]: '1x20 stale', [leads('b')]: '1x20 stale' },
    asked: [
      [named('a'), '16m', 1],
      [named('b'), '16m', 1],
      [down(), '16m', 2],
    ],
  },
  'another pod takes over within five minutes: nothing is said': {
    series: { [leads('a')]: '1x20 stale', [leads('a', '2')]: '0x28 1x200', [leads('b')]: '1x230' },
    asked: [['sum(count_over_time(ALERTS{alertname="OperatorDown",alertstate="firing"}[2h]))', '1h50m', undefined]],
  },
  'one of two is removed on purpose: it is said for a day, and then no more': {
    series: { [leads('a')]: '1x20 stale', [leads('b')]: `1x${DAY + 120}` },
    asked: [
      [named('a'), '24h', 1],
      [down(), '24h30m', undefined],
    ],
  },
  'the only one dies: it is named, once, and the word goes on without the name when a day is over': {
    series: { [leads('a')]: '1x20 stale' },
    asked: [
      [named('a'), '16m', 1],
      [down(), '16m', 1],
      [down(), '24h', 1],
      [down(',namespace=""'), '24h30m', 1],
      [down(), '24h30m', 1],
    ],
  },
  'there never was one, or nobody reads it: it is said, for nobody knows where': {
    series: { 'up{job="another"}': '1x80' },
    asked: [[down(',namespace=""'), '6m', 1]],
  },
  'whoever is read without a namespace is one installation': {
    series: { 'devshelf_operator_leader{pod="1"}': '1x20 stale', 'devshelf_operator_leader{pod="2"}': '0x80' },
    asked: [
      [down(), '10m', undefined],
      [down(), '16m', 1],
    ],
  },
};
