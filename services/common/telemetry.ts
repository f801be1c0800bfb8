import type { Telemetry as QueueTelemetry } from 'bullmq';

export type Telemetry = {
  /** for BullMQ: a job belongs to the trace of the request that asked for it */
  readonly queue: QueueTelemetry;
  /** The same function, as a span of its own. */
  spanned<Arguments extends unknown[], Result>(
    name: string,
    work: (...values: Arguments) => Promise<Result>,
  ): (...values: Arguments) => Promise<Result>;
  /** Sends what is left; takes no longer than two seconds. */
  close(): Promise<void>;
};

/**
 * Traces over OTLP/HTTP, when there is somewhere to send them; otherwise nothing is loaded. To be called before the
 * app is built: from then on requests, SQL statements, Redis commands and jobs are spans. The other variables of
 * OpenTelemetry (OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES, OTEL_TRACES_SAMPLER, …) mean what they mean everywhere.
 */
export async function openTelemetry(endpoint: string | undefined, serviceName: string): Promise<Telemetry | undefined> {
  if (endpoint === undefined) return undefined;
  const { startTelemetry } = await import('./telemetry-sdk.ts');
  return startTelemetry(serviceName);
}
