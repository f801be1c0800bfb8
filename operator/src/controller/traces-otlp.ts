// Loaded only where traces are sent (traces.ts). The exporter alone, without a tracer: spans are made whole by
// lifecycle/traces.ts, and none is ever open here. It reads the other variables of OpenTelemetry itself: address,
// headers, certificates, time limit.
import type { HrTime, SpanContext } from '@opentelemetry/api';
import { OTLPTraceExporter as JsonExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { OTLPTraceExporter as ProtobufExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { detectResources, envDetector, type Resource, resourceFromAttributes } from '@opentelemetry/resources';
import type { ReadableSpan } from '@opentelemetry/sdk-trace';
import type { Logger } from 'pino';
import { scrub } from '../api/words.ts';
import type { Span } from '../lifecycle/traces.ts';
import { OPERATOR_VERSION } from '../version.ts';
import type { Protocol, Traces } from './traces.ts';

const SERVICE = 'devshelf-operator';
/** SpanKind.INTERNAL, SpanStatusCode.UNSET and .ERROR, TraceFlags.SAMPLED, ExportResultCode.SUCCESS. */
const [INTERNAL, UNSET, ERROR, SAMPLED, SUCCESS] = [0, 0, 2, 1, 0] as const;

export function startTraces(protocol: Protocol, log: Logger): Traces {
  const exporter = protocol === 'http/json' ? new JsonExporter() : new ProtobufExporter();
  const resource = resourceFromAttributes({ 'service.name': SERVICE, 'service.version': OPERATOR_VERSION }).merge(
    // names that an administrator chose win
    detectResources({ detectors: [envDetector] }),
  );
  return {
    send: spans => {
      if (spans.length === 0) return;
      const said = spans.map(({ name, traceId }) => `${name} ${traceId}`);
      const failed = (error: Error | undefined) =>
        log.warn({ spans: said, why: scrub(error?.message ?? 'no answer') }, 'spans were not taken');
      try {
        exporter.export(
          spans.map(span => readable(span, resource)),
          ({ code, error }) => (code === SUCCESS ? log.debug({ spans: said }, 'spans were sent') : failed(error)),
        );
      } catch (error) {
        failed(error as Error);
      }
    },
    stop: () => exporter.shutdown().catch(() => undefined),
  };
}

function readable(
  { name, traceId, spanId, parentId, attributes, fault, ...times }: Span,
  resource: Resource,
): ReadableSpan {
  const context = (id: string): SpanContext => ({ traceId, spanId: id, traceFlags: SAMPLED });
  const { startedAt, endedAt } = times;
  return {
    name,
    kind: INTERNAL,
    spanContext: () => context(spanId),
    ...(parentId !== undefined && { parentSpanContext: context(parentId) }),
    startTime: hrTime(startedAt),
    endTime: hrTime(endedAt),
    duration: hrTime(endedAt - startedAt),
    ended: true,
    status: fault === undefined ? { code: UNSET } : { code: ERROR, message: fault },
    attributes: { ...attributes },
    links: [],
    events: [],
    resource,
    instrumentationScope: { name: SERVICE, version: OPERATOR_VERSION },
    ...{ droppedAttributesCount: 0, droppedEventsCount: 0, droppedLinksCount: 0 },
  };
}

const hrTime = (ms: number): HrTime => [Math.floor(ms / 1000), (ms % 1000) * 1_000_000];
