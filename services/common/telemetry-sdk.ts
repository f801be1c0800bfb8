// Loaded only where traces are sent (telemetry.ts). Nothing here relies on patched imports, which a bundle does not
// have: Fastify and ioredis publish what they do on diagnostics channels, pg's client has one method.
import { AsyncResource } from 'node:async_hooks';
import { tracingChannel } from 'node:diagnostics_channel';
import { FastifyOtelInstrumentation } from '@fastify/otel';
import { type Span, SpanKind, SpanStatusCode, type Tracer, trace } from '@opentelemetry/api';
import { NodeSDK } from '@opentelemetry/sdk-node';
import { BullMQOtel } from 'bullmq-otel';
import type { FastifyRequest } from 'fastify';
import { Client, Pool } from 'pg';
import { inTime } from './in-time.ts';
import { OPERATIONAL_ROUTES, routeOf } from './metrics.ts';
import { pathOf } from './requests.ts';
import type { Telemetry } from './telemetry.ts';

/** Of what nobody sampled before us, one in ten: measured in docs/how-to/telemetry.md. */
const DEFAULTS = { OTEL_TRACES_SAMPLER: 'parentbased_traceidratio', OTEL_TRACES_SAMPLER_ARG: '0.1' };

const CLOSE_MS = 2_000;
const STATEMENT_LENGTH = 1_000;

export function startTelemetry(serviceName: string): Telemetry {
  if (process.env['OTEL_TRACES_SAMPLER'] === undefined) Object.assign(process.env, DEFAULTS);
  const sdk = new NodeSDK({
    // the name that an operator chose wins
    serviceName: process.env['OTEL_SERVICE_NAME'] ?? serviceName,
    instrumentations: [requests()],
    // figures are read from /metrics, lines from the log
    metricReaders: [],
    logRecordProcessors: [],
  });
  sdk.start();
  const tracer = trace.getTracer('devshelf');
  traceStatements(tracer);
  traceCommands(tracer);
  return {
    queue: new BullMQOtel({ tracerName: 'bullmq' }),
    spanned:
      (name, work) =>
      (...values) =>
        inSpan(tracer, name, () => work(...values)),
    // who cannot be reached must not hold up the end of the process
    close: async () => void (await inTime(sdk.shutdown(), CLOSE_MS)),
  };
}

/** One span for each request, none for its hooks; a path without the query, which may hold what nobody should keep. */
const requests = () =>
  new FastifyOtelInstrumentation({
    registerOnInitialization: true,
    instrumentHooks: false,
    instrumentHandler: false,
    recordExceptions: false,
    ignorePaths: ({ url }) => OPERATIONAL_ROUTES.includes(pathOf(url)),
    requestHook: (span, request: FastifyRequest) => {
      span.updateName(`${request.method} ${routeOf(request)}`);
      span.setAttribute('url.path', pathOf(request.url));
    },
  });

function inSpan<Result>(tracer: Tracer, name: string, work: () => Promise<Result>): Promise<Result> {
  return tracer.startActiveSpan(name, async span => {
    try {
      return await work();
    } catch (error) {
      fail(span, error);
      throw error;
    } finally {
      span.end();
    }
  });
}

/** The class of an error says enough: messages of databases quote values. */
function fail(span: Span, error: unknown): void {
  const { code, name } = error as { code?: unknown; name?: unknown };
  span.setAttribute('error.type', String(code ?? name ?? 'unknown'));
  span.setStatus({ code: SpanStatusCode.ERROR });
}

/** What nobody asked for (polls, probes, sweeps) starts no trace of its own. */
const hasRequest = () => trace.getActiveSpan()?.isRecording() === true;

type Callback = (error: unknown, result: unknown) => void;
type Query = (this: Client, ...values: unknown[]) => unknown;
type Connect = (this: unknown, ...values: Callback[]) => unknown;

/** Each statement, Prisma's and our own; its text has placeholders for all values. */
function traceStatements(tracer: Tracer): void {
  const client = Client.prototype as unknown as { query: Query };
  const pool = Pool.prototype as unknown as { connect: Connect };
  const { query } = client;
  const { connect } = pool;
  // a statement that waits for a connection would otherwise run in the context of whoever gives that one back
  pool.connect = function (...values) {
    return connect.apply(this, hasRequest() ? values.map(callback => AsyncResource.bind(callback)) : values);
  };
  client.query = function (...values) {
    const text = hasRequest() ? textOf(values[0]) : undefined;
    if (text === undefined) return query.apply(this, values);
    const span = tracer.startSpan(/^\s*(\w+)/.exec(text)?.[1]?.toUpperCase() ?? 'SQL', {
      kind: SpanKind.CLIENT,
      attributes: { 'db.system.name': 'postgresql', 'db.query.text': text.slice(0, STATEMENT_LENGTH) },
    });
    const callback = values.at(-1);
    if (typeof callback !== 'function') return endedWith(span, query.apply(this, values));
    const ending: Callback = (error, result) => {
      end(span, error);
      callback(error, result);
    };
    return query.apply(this, values.with(-1, ending));
  };
}

/** Of a text or an object that holds one; not of what sends itself (cursors, COPY). */
function textOf(config: unknown): string | undefined {
  if (typeof config === 'string') return config;
  const { text, submit } = config as { text?: unknown; submit?: unknown };
  return typeof text === 'string' && submit === undefined ? text : undefined;
}

function endedWith(span: Span, result: unknown): unknown {
  Promise.resolve(result).then(
    () => end(span, null),
    error => end(span, error),
  );
  return result;
}

function end(span: Span, error: unknown): void {
  if (error) fail(span, error);
  span.end();
}

type Command = { readonly command: string; readonly error?: unknown; span?: Span };

/** Each Redis command, by its name only. */
function traceCommands(tracer: Tracer): void {
  tracingChannel<unknown, Command>('ioredis:command').subscribe({
    start: message => {
      if (!hasRequest()) return;
      const attributes = { 'db.system.name': 'redis', 'db.operation.name': message.command };
      message.span = tracer.startSpan(message.command.toUpperCase(), { kind: SpanKind.CLIENT, attributes });
    },
    end: () => undefined,
    asyncStart: () => undefined,
    error: () => undefined,
    asyncEnd: message => {
      if (message.span) end(message.span, message.error);
    },
  });
}
