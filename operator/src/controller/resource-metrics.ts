// What each resource's status says, as series. A pass keeps labels and values, as little as it can: ten thousand resources
// have a hundred thousand lines. They are written only for whoever scrapes.

import { releaseInForce } from '../api/rollout.ts';
import type { AppStatus, StatusCondition } from '../api/status.ts';
import { expiries } from '../lifecycle/around/exposed.ts';
import { lastDecisions } from '../lifecycle/decided.ts';
import { type Snapshot, versionIn } from '../lifecycle/snapshot.ts';
import { type AppKey, splitKey } from './world.ts';

type Labels = Readonly<Record<string, string>>;
interface Sample {
  readonly labels: Labels;
  readonly value: number;
}

export interface ResourceSeries {
  readonly name: string;
  readonly help: string;
  /** Labels besides kind, resource_namespace and resource, which each has. */
  readonly labels: readonly string[];
  readonly of: (seen: Snapshot, status: AppStatus) => readonly Sample[];
  /** Their values are of a known set. */
  readonly isFew?: true;
}

/** `namespace` and `name` would be taken for the operator's own by a Prometheus that knows where it scrapes. */
export const COMMON_LABELS = ['kind', 'resource_namespace', 'resource'] as const;

const seconds = (iso: string | undefined): number => Date.parse(iso ?? '') / 1000;
const isTime = ({ value }: Sample): boolean => !Number.isNaN(value);

export const RESOURCE_SERIES: readonly ResourceSeries[] = [
  {
    name: 'devshelf_resource_info',
    help: 'The release that serves, and the stage that is under way. Always 1.',
    labels: ['image', 'version', 'release', 'phase'],
    of: info,
  },
  {
    name: 'devshelf_resource_condition_timestamp_seconds',
    help: 'Since when a condition has its status. Ready and Available always, Stalled while it is, others while they are not True.',
    labels: ['type', 'status', 'reason'],
    isFew: true,
    of: (_seen, { conditions = [] }) =>
      conditions
        .filter(isTold)
        .map(({ type, status, reason, lastTransitionTime }) => ({
          labels: { type, status, reason },
          value: seconds(lastTransitionTime),
        }))
        .filter(isTime),
  },
  {
    name: 'devshelf_operator_decision_timestamp_seconds',
    help: 'When the operator decided so about a release of the resource; the last of each decision, for a day.',
    labels: ['decision', 'version', 'release', 'reason'],
    of: seen =>
      lastDecisions(seen).map(({ at, decision, version, release, reason }) => ({
        labels: { decision, version, release, reason },
        value: seconds(at),
      })),
  },
  {
    name: 'devshelf_resource_replicas',
    help: 'Serving pods: wanted, ready, and ready ones of the release on trial.',
    labels: ['state'],
    isFew: true,
    of: ({ deployment, candidate }) =>
      deployment
        ? Object.entries({
            wanted: deployment.wantedReplicas,
            ready: deployment.readyReplicas,
            candidate: candidate?.readyReplicas ?? 0,
          }).map(([state, value]) => ({ labels: { state }, value }))
        : [],
  },
  {
    name: 'devshelf_resource_key_timestamp_seconds',
    help: 'When a key was made, and when it is due to be replaced where it has a schedule.',
    labels: ['key', 'event'],
    isFew: true,
    of: keys,
  },
  {
    name: 'devshelf_resource_certificate_expiry_timestamp_seconds',
    help: 'Until when the certificate is good with which a host is served, where it is in a Secret of the namespace.',
    labels: ['host'],
    of: seen => expiries(seen).map(({ host, expiresAt }) => ({ labels: { host }, value: expiresAt / 1000 })),
  },
];

function info(seen: Snapshot, { currentImage, phase = '' }: AppStatus): readonly Sample[] {
  const record = seen.deployment?.record;
  const release = record ? releaseInForce(record) : '';
  const version = release === '' ? '' : versionIn(seen, release);
  return [{ labels: { image: currentImage ?? '', version, release, phase }, value: 1 }];
}

function isTold({ type, status, reason }: StatusCondition): boolean {
  if (type === 'Ready' || type === 'Available') return true;
  if (type === 'Stalled') return status === 'True';
  // it is True, and still somebody has to do something
  return status !== 'True' || reason === 'ContractWithheld';
}

function keys(seen: Snapshot, status: AppStatus): readonly Sample[] {
  return (status.keys ?? []).flatMap(({ name, lastRotationTime, nextRotationTime }) => {
    const createdAt = seen.keys.find(key => key.name === name)?.createdAt;
    const made = lastRotationTime === undefined ? (createdAt ?? Number.NaN) / 1000 : seconds(lastRotationTime);
    return [
      { labels: { key: name, event: 'made' }, value: made },
      { labels: { key: name, event: 'due' }, value: seconds(nextRotationTime) },
    ].filter(isTime);
  });
}

const escaped = (value: string): string =>
  value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
const pair = ([name, value]: readonly [string, string]): string => `${name}="${escaped(value)}"`;

const LINES_AT_ONCE = 500;

/** Of one series: the labels of each sample as text, and its value. */
type Kept = readonly (string | number)[];

export class ResourceMetrics {
  readonly #kept = new Map<AppKey, readonly Kept[]>();
  /** Most labels are words of the operator's own: one text for all resources that say the same. */
  readonly #texts = new Map<string, string>();

  /** What this pass found; replaces what the pass before did. */
  set(key: AppKey, seen: Snapshot, status: AppStatus): void {
    this.#kept.set(
      key,
      RESOURCE_SERIES.map(
        ({ of, isFew }) =>
          of(seen, status)
            .flatMap(({ labels, value }) => {
              const text = Object.entries(labels).map(pair).join(',');
              return [isFew ? this.#shared(text) : text, value];
            })
            .slice(), // what grew has room for sixteen more
      ),
    );
  }

  forget(key: AppKey): void {
    this.#kept.delete(key);
  }

  /** Another process looked after the resources: what they were is not what they are. */
  forgetAll(): void {
    this.#kept.clear();
  }

  /** In Prometheus' text format, piece by piece: of ten thousand resources it is 30 MB. */
  *pieces(): Generator<string> {
    // one that goes and comes back meanwhile is not told twice
    const keys = [...this.#kept.keys()];
    let lines: string[] = [];
    // the lines of a series stand together
    for (const [index, { name, help }] of RESOURCE_SERIES.entries()) {
      lines.push(`# HELP ${name} ${help}\n# TYPE ${name} gauge\n`);
      for (const key of keys) {
        addLines(lines, name, key, this.#kept.get(key)?.[index] ?? []);
        if (lines.length < LINES_AT_ONCE) continue;
        yield lines.join('');
        lines = [];
      }
    }
    yield lines.join('');
  }

  #shared(text: string): string {
    const known = this.#texts.get(text);
    if (known === undefined) this.#texts.set(text, text);
    return known ?? text;
  }
}

function addLines(lines: string[], name: string, key: AppKey, kept: Kept): void {
  if (kept.length === 0) return;
  const { kind, namespace, name: resource } = splitKey(key);
  const common = `kind="${kind}",resource_namespace="${namespace}",resource="${resource}"`;
  for (let at = 0; at < kept.length; at += 2) lines.push(`${name}{${common},${kept[at]}} ${kept[at + 1]}\n`);
}
