// Spans on their way to a collector. What sends them is loaded only where somebody says where to: it takes memory that
// most operators would never use.
import type { Logger } from 'pino';
import type { Span } from '../lifecycle/traces.ts';

export interface Traces {
  /** Returns at once; whoever is not reached, or hangs, is waited for by nobody. */
  send(spans: readonly Span[]): void;
  /** Resolves when what is under way has come to its end, which is after ten seconds at the latest. */
  stop(): Promise<void>;
}

export type Protocol = 'http/protobuf' | 'http/json';

/** By the names that OpenTelemetry gave; the exporter reads these and others itself. */
export interface TraceSettings {
  readonly OTEL_EXPORTER_OTLP_ENDPOINT?: string | undefined;
  readonly OTEL_EXPORTER_OTLP_TRACES_ENDPOINT?: string | undefined;
  readonly OTEL_EXPORTER_OTLP_PROTOCOL: Protocol;
  readonly OTEL_EXPORTER_OTLP_TRACES_PROTOCOL?: Protocol | undefined;
  readonly OTEL_SDK_DISABLED?: string | undefined;
  readonly OTEL_TRACES_EXPORTER?: string | undefined;
}

/** Undefined where nobody says where they go. */
export async function openTraces(config: TraceSettings, log: Logger): Promise<Traces | undefined> {
  const { OTEL_EXPORTER_OTLP_ENDPOINT: all, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: own } = config;
  const isOff = config.OTEL_SDK_DISABLED === 'true' || config.OTEL_TRACES_EXPORTER === 'none';
  if (isOff || (all === undefined && own === undefined)) return undefined;
  const { OTEL_EXPORTER_OTLP_TRACES_PROTOCOL, OTEL_EXPORTER_OTLP_PROTOCOL } = config;
  const { startTraces } = await import('./traces-otlp.ts');
  return startTraces(OTEL_EXPORTER_OTLP_TRACES_PROTOCOL ?? OTEL_EXPORTER_OTLP_PROTOCOL, log);
}
