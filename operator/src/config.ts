// Environment and flags of the operator, declared once.
import { parseArgs } from 'node:util';
import * as z from 'zod';

const namespaces = z
  .string()
  .transform(text =>
    text
      .split(',')
      .map(part => part.trim())
      .filter(part => part !== ''),
  )
  .refine(list => list.every(name => name === '*' || /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(name)), {
    error: 'write namespace names separated by commas, or * for all',
  });

const port = z.coerce.number().int().min(0).max(65_535);

const collector = z.url({
  protocol: /^https?$/,
  error: 'write the address of a collector, for example http://otel-collector.monitoring:4318',
});
const otlp = z.enum(['http/protobuf', 'http/json']);

const schema = z.object({
  WATCH_NAMESPACES: namespaces.optional(),
  POD_NAMESPACE: z.string().optional(),
  POD_NAME: z.string().optional(),
  METRICS_PORT: port.default(8080),
  LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']).default('info'),
  LEADER_ELECTION: z
    .enum(['true', 'false'])
    .default('true')
    .transform(text => text === 'true'),
  /** How the pods are reached: `direct` by their address, `proxy` through the API server. */
  POD_ACCESS: z.enum(['direct', 'proxy']).optional(),
  /** Where the pages of docs/ are served, for the links of alerts. */
  DOCS_URL: z
    .url({
      protocol: /^https?$/,
      error: 'write the address of the folder docs, for example https://git.example/devshelf/docs',
    })
    .optional(),
  /** Where Prometheus answers queries inside the cluster: autoscalers ask there, and trials whose pods cannot be read. */
  PROMETHEUS_URL: z
    .url({
      protocol: /^https?$/,
      error: 'write the address of Prometheus, for example http://prometheus-operated.monitoring:9090',
    })
    .refine(text => URL.parse(text)?.username === '' && URL.parse(text)?.password === '', {
      error: 'write it without user and password: it stands in ScaledObjects, which others may read',
    })
    .optional(),
  /** File of the sinks that messages go to. */
  NOTIFY_CONFIG: z.string().startsWith('/', { error: 'write the whole path of the file, from / on' }).optional(),
  /** A file with the token that is shown to it; autoscalers show none. */
  PROMETHEUS_TOKEN_FILE: z
    .string()
    .regex(/^\//, { error: 'write the whole path of a file, for example /var/run/secrets/prometheus/token' })
    .optional(),
  /** Where traces of releases go, by the names that OpenTelemetry gave; absent: nowhere. */
  OTEL_EXPORTER_OTLP_ENDPOINT: collector.optional(),
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: collector.optional(),
  OTEL_EXPORTER_OTLP_PROTOCOL: otlp.default('http/protobuf'),
  OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: otlp.optional(),
  OTEL_SDK_DISABLED: z.string().optional(),
  OTEL_TRACES_EXPORTER: z.string().optional(),
  WORKERS: z.coerce.number().int().min(1).max(64).default(8),
});

export type Config = z.output<typeof schema>;

const TOKEN_WITHOUT_ADDRESS = {
  path: ['PROMETHEUS_TOKEN_FILE'],
  error: 'a token is of use only with an address: set --prometheus-url too',
};
const tokenHasAddress = ({ PROMETHEUS_TOKEN_FILE: token, PROMETHEUS_URL: url }: Partial<Config>): boolean =>
  token === undefined || url !== undefined;

const FLAGS: Readonly<Record<string, { variable: keyof Config; text: string }>> = {
  'watch-namespaces': {
    variable: 'WATCH_NAMESPACES',
    text: 'namespaces to watch, separated by commas; * for all (default: the one of the pod or kubeconfig context)',
  },
  'metrics-port': {
    variable: 'METRICS_PORT',
    text: 'port of /healthz, /readyz and /metrics (default 8080; 0: a free one)',
  },
  'log-level': { variable: 'LOG_LEVEL', text: 'trace, debug, info, warn, error or silent (default info)' },
  'leader-election': { variable: 'LEADER_ELECTION', text: 'true or false (default true)' },
  'pod-access': { variable: 'POD_ACCESS', text: 'direct or proxy (default: direct in a cluster, proxy outside)' },
  'docs-url': {
    variable: 'DOCS_URL',
    text: 'address of the folder docs, for the links of alerts (default: they name the page)',
  },
  'prometheus-url': {
    variable: 'PROMETHEUS_URL',
    text: 'address of Prometheus, for autoscaling with KEDA and for trials whose pods cannot be read (default: none)',
  },
  'prometheus-token-file': {
    variable: 'PROMETHEUS_TOKEN_FILE',
    text: 'file with the token that the operator shows to Prometheus (default: it shows none)',
  },
  'notify-config': {
    variable: 'NOTIFY_CONFIG',
    text: 'file of the sinks that messages about releases go to (default: there are none)',
  },
  workers: { variable: 'WORKERS', text: 'resources worked on at the same time (default 8)' },
};

export const USAGE = `Usage: operator [flags]

Watches DevShelfDeployment and DashboardDeployment resources and runs their releases.

${Object.entries(FLAGS)
  .map(
    ([flag, { variable, text }]) =>
      `  --${flag.padEnd(20)}${text}\n  ${''.padEnd(22)}or the environment variable ${variable}`,
  )
  .join('\n')}
  --version             the operator's version
  --help                this text

The cluster is the one of the pod's service account, or of KUBECONFIG or ~/.kube/config.
`;

export type Parsed =
  | { kind: 'run'; config: Config }
  | { kind: 'help' }
  | { kind: 'version' }
  | { kind: 'faults'; faults: readonly string[] };

/** Flags win over the environment. Every fault is listed, each with its name, value and what is allowed. */
export function parseConfig(args: readonly string[], env: Readonly<Record<string, string | undefined>>): Parsed {
  const options = Object.fromEntries([
    ...Object.keys(FLAGS).map(flag => [flag, { type: 'string' as const }]),
    ['help', { type: 'boolean' as const }],
    ['version', { type: 'boolean' as const }],
  ]);
  let values: Record<string, string | boolean | undefined>;
  try {
    values = parseArgs({ args: [...args], options, strict: true }).values as typeof values;
  } catch (error) {
    return { kind: 'faults', faults: [error instanceof Error ? error.message : String(error)] };
  }
  if (values['help']) return { kind: 'help' };
  if (values['version']) return { kind: 'version' };
  const given: Record<string, unknown> = Object.fromEntries(
    Object.keys(schema.shape).map(name => [name, name.startsWith('OTEL_') ? env[name] || undefined : env[name]]),
  );
  for (const [flag, { variable }] of Object.entries(FLAGS)) given[variable] = values[flag] ?? given[variable];
  const parsed = schema.refine(tokenHasAddress, TOKEN_WITHOUT_ADDRESS).safeParse(given);
  if (parsed.success) return { kind: 'run', config: parsed.data };
  const faults = parsed.error.issues.map(({ path, message }) => {
    const [name = ''] = path.map(String);
    return `${name}="${String(given[name])}": ${message}`;
  });
  return { kind: 'faults', faults };
}
