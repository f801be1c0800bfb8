// A collector of OpenTelemetry over HTTP, in JSON and in protobuf, and what it was told.

import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface SentSpan {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  /** Empty: it has no parent. */
  readonly parentSpanId: string;
  /** Epoch milliseconds. */
  readonly startedAt: number;
  readonly endedAt: number;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly fault?: string;
  readonly service: string;
}

export class LittleCollector {
  readonly spans: SentSpan[] = [];
  readonly types = new Set<string>();
  /** Everything that was sent, as text. */
  text = '';
  /** `never`: it takes what is sent, and does not answer. */
  answers: 'always' | 'never' | number = 'always';
  asked = 0;
  readonly #server: Server;

  private constructor() {
    this.#server = createServer(async (request, response) => {
      this.asked += 1;
      const body = await bodyOf(request);
      if (this.answers === 'never') return;
      if (typeof this.answers === 'number') return void response.writeHead(this.answers).end();
      const type = request.headers['content-type'] ?? '';
      this.types.add(`${request.url} ${type}`);
      this.text += body.toString('latin1');
      this.spans.push(...(type.includes('json') ? fromJson(body) : fromProtobuf(body)));
      response.setHeader('content-type', type).end(type.includes('json') ? '{}' : '');
    });
  }

  static async start(): Promise<LittleCollector> {
    const collector = new LittleCollector();
    collector.#server.listen(0, '127.0.0.1');
    await once(collector.#server, 'listening');
    return collector;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Of one namespace, as they came. */
  of(namespace: string): SentSpan[] {
    return this.spans.filter(({ attributes }) => attributes['k8s.namespace.name'] === namespace);
  }

  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks);
}

type Value = { key: string; value: Record<string, unknown> };
type JsonSpan = Record<'name' | 'traceId' | 'spanId' | 'startTimeUnixNano' | 'endTimeUnixNano', string> & {
  parentSpanId?: string;
  attributes: Value[];
  status: { message?: string };
};
type Exported = {
  resourceSpans: { resource: { attributes: Value[] }; scopeSpans: { spans: JsonSpan[] }[] }[];
};

const numbers = (value: unknown): unknown => (typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value);
const valuesOf = (list: readonly Value[]): Record<string, unknown> =>
  Object.fromEntries(
    list.map(({ key, value }) => [key, 'intValue' in value ? numbers(value['intValue']) : Object.values(value)[0]]),
  );

function fromJson(body: Buffer): SentSpan[] {
  const { resourceSpans } = JSON.parse(body.toString()) as Exported;
  return resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ spans }) =>
      spans.map(({ startTimeUnixNano, endTimeUnixNano, attributes, status, parentSpanId = '', ...ids }) => ({
        ...{ name: ids.name, traceId: ids.traceId, spanId: ids.spanId, parentSpanId },
        startedAt: Number(BigInt(startTimeUnixNano) / 1_000_000n),
        endedAt: Number(BigInt(endTimeUnixNano) / 1_000_000n),
        attributes: valuesOf(attributes),
        ...(status.message !== undefined && { fault: status.message }),
        service: String(valuesOf(resource.attributes)['service.name']),
      })),
    ),
  );
}

// ---- protobuf, as far as spans need it (opentelemetry/proto/trace/v1/trace.proto)

type Wire = Map<number, (Buffer | bigint)[]>;

/** The fields of one message, by their numbers. */
function fieldsOf(message: Buffer): Wire {
  const fields: Wire = new Map();
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = BigInt(message.readUInt8(at++));
      value |= (byte & 0x7fn) << shift;
      if (byte < 0x80n) return value;
    }
  };
  const bytes = (length: number): Buffer => {
    at += length;
    return message.subarray(at - length, at);
  };
  while (at < message.length) {
    const tag = Number(varint());
    const read: Record<number, () => Buffer | bigint> = {
      0: varint,
      1: () => bytes(8).readBigUInt64LE(),
      2: () => bytes(Number(varint())),
      5: () => BigInt(bytes(4).readUInt32LE()),
    };
    const value = read[tag & 7]?.();
    if (value === undefined) throw new Error(`no such type on the wire: ${tag & 7}`);
    fields.set(tag >> 3, [...(fields.get(tag >> 3) ?? []), value]);
  }
  return fields;
}

const messages = (fields: Wire, number: number): Wire[] =>
  (fields.get(number) ?? []).flatMap(value => (Buffer.isBuffer(value) ? [fieldsOf(value)] : []));
const bytesIn = (fields: Wire, number: number): Buffer => {
  const value = fields.get(number)?.[0];
  return Buffer.isBuffer(value) ? value : Buffer.alloc(0);
};
const nanosIn = (fields: Wire, number: number): number => Number((fields.get(number)?.[0] as bigint) / 1_000_000n);

/** KeyValue: key 1, value 2; AnyValue: string 1, int 3. */
const attributesIn = (fields: Wire, number: number): Record<string, unknown> =>
  Object.fromEntries(
    messages(fields, number).map(pair => {
      const [value] = messages(pair, 2);
      const count = value?.get(3)?.[0];
      return [
        bytesIn(pair, 1).toString(),
        count === undefined ? bytesIn(value ?? new Map(), 1).toString() : Number(count),
      ];
    }),
  );

function fromProtobuf(body: Buffer): SentSpan[] {
  return messages(fieldsOf(body), 1).flatMap(ofResource => {
    const [resource] = messages(ofResource, 1);
    const service = String(attributesIn(resource ?? new Map(), 1)['service.name']);
    return messages(ofResource, 2).flatMap(ofScope =>
      messages(ofScope, 2).map(span => {
        const fault = bytesIn(messages(span, 15)[0] ?? new Map(), 2).toString();
        return {
          name: bytesIn(span, 5).toString(),
          traceId: bytesIn(span, 1).toString('hex'),
          spanId: bytesIn(span, 2).toString('hex'),
          parentSpanId: bytesIn(span, 4).toString('hex'),
          startedAt: nanosIn(span, 7),
          endedAt: nanosIn(span, 8),
          attributes: attributesIn(span, 9),
          ...(fault !== '' && { fault }),
          service,
        };
      }),
    );
  });
}
