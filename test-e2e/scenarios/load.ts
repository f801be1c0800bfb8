// A load generator that records every response. Open loop: requests leave at fixed times, whatever became of the ones
// before, so a slow server is not asked less. Runs inside the node's network, bounded in rate and time:
//
//   LOAD_HEADERS='{"x-api-key":"…"}' node load.ts --url http://10.96.0.7 --path /api/summary --path /api/providers \
//     --rate 20 --seconds 600 --records traffic.jsonl [--clients 20] [--ca ca.crt]
//
// Without --clients every request has a connection of its own, so each is routed anew. With it, so many clients keep
// their connections alive, as most real ones do: the node routes a connection once, when it is made.
//
// An https URL is asked with the Host of the headers for its server's name, and its certificate is believed by --ca.
//
// One line per response: {"at":…,"ms":3.2,"status":200,"release":"1.1.0"} or
// {"at":…,"ms":5000,"error":"TIMEOUT","port":40112}. `at` is when the request left, epoch milliseconds. `release` is what
// the response's X-Release header says. `port` is our own, of a connection that was made: without it there was none.
import { createWriteStream, readFileSync } from 'node:fs';
import { Agent, type ClientRequest, type IncomingMessage, request as overHttp } from 'node:http';
import { request as overHttps, Agent as TlsAgent } from 'node:https';
import type { Socket } from 'node:net';
import { parseArgs } from 'node:util';

const MAX_RATE = 200;
const MAX_SECONDS = 3_600;
const TIMEOUT_MS = 5_000;
/** A timer that comes so late tells of this process, not of the server: it was not run itself. */
const LATE_MS = 500;
const ONCE_MORE_MS = 1_000;

/** One response, or what came instead of one. */
export type Answer = {
  readonly at: number;
  readonly ms: number;
  readonly status?: number;
  readonly error?: string;
  readonly port?: number;
  readonly release?: string;
};

type Plan = {
  readonly url: string;
  readonly paths: readonly string[];
  readonly rate: number;
  readonly seconds: number;
  readonly records: string;
  readonly clients: number;
  /** Of whom an https server's certificate has to be. */
  readonly ca?: string;
};

function parsePlan(args: readonly string[]): Plan {
  const { values } = parseArgs({
    args: [...args],
    options: {
      url: { type: 'string' },
      path: { type: 'string', multiple: true },
      rate: { type: 'string' },
      seconds: { type: 'string' },
      records: { type: 'string' },
      clients: { type: 'string', default: '0' },
      ca: { type: 'string' },
    },
  });
  const { url, path: paths = [], records, ca } = values;
  const [rate, seconds, clients] = [Number(values.rate), Number(values.seconds), Number(values.clients)];
  if (url === undefined || paths.length === 0 || records === undefined) throw new Error('--url, --path and --records');
  if (!(rate > 0 && rate <= MAX_RATE)) throw new Error(`--rate is above 0 and at most ${MAX_RATE} requests per second`);
  if (!(seconds > 0 && seconds <= MAX_SECONDS)) throw new Error(`--seconds is above 0 and at most ${MAX_SECONDS}`);
  if (!Number.isInteger(clients) || clients < 0 || clients > MAX_RATE) throw new Error('--clients is a small number');
  return { url, paths, rate, seconds, records, clients, ...(ca !== undefined && { ca: readFileSync(ca, 'utf8') }) };
}

const now = (): number => performance.timeOrigin + performance.now();

type Send = (url: string, index: number) => ClientRequest;

/** Each client keeps one connection; without clients each request has its own. */
function sender({ url, clients, ca }: Plan, headers: Record<string, string>): { send: Send; end: () => void } {
  const isTls = url.startsWith('https:');
  const request = isTls ? overHttps : overHttp;
  const tls = isTls ? { servername: headers['host'] ?? new URL(url).hostname, ...(ca !== undefined && { ca }) } : {};
  const kept = { keepAlive: true, maxSockets: 1 };
  const agents = Array.from({ length: clients }, () => (isTls ? new TlsAgent(kept) : new Agent(kept)));
  return {
    send: (to, index) =>
      request(to, { headers, ...tls, agent: agents[index % agents.length] ?? false, timeout: TIMEOUT_MS }),
    end: () => {
      for (const agent of agents) agent.destroy();
    },
  };
}

/** Sends one request and always gives an answer. */
function ask(send: () => ClientRequest): Promise<Answer> {
  const at = now();
  const took = () => Math.round((now() - at) * 10) / 10;
  return new Promise(resolve => {
    let port: number | undefined;
    const failed = (error: string) =>
      resolve({ at: Math.round(at), ms: took(), error, ...(port !== undefined && { port }) });
    const sent = send();
    sent.once('socket', (socket: Socket) => {
      const note = () => (port = socket.localPort);
      if (socket.connecting) socket.once('connect', note);
      else note();
    });
    let due = at + TIMEOUT_MS;
    let limit = setTimeout(expire, TIMEOUT_MS);
    function expire(): void {
      const late = now() - due;
      if (late < LATE_MS) return void sent.destroy(new Error('TIMEOUT'));
      due = now() + ONCE_MORE_MS; // what was answered meanwhile has not been looked at
      limit = setTimeout(expire, ONCE_MORE_MS);
    }
    sent.once('error', (error: NodeJS.ErrnoException) => {
      clearTimeout(limit);
      failed(error.code ?? error.message);
    });
    sent.once('response', (response: IncomingMessage) => {
      response.once('error', (error: NodeJS.ErrnoException) => failed(error.code ?? error.message));
      response.once('end', () => {
        clearTimeout(limit);
        const release = response.headers['x-release'];
        const { statusCode: status = 0 } = response;
        resolve({ at: Math.round(at), ms: took(), status, ...(typeof release === 'string' && { release }) });
      });
      response.resume();
    });
    sent.end();
  });
}

async function generate(plan: Plan, headers: Record<string, string>): Promise<void> {
  const records = createWriteStream(plan.records, { flags: 'a' });
  const { send, end } = sender(plan, headers);
  const begun = performance.now();
  let stopped = false;
  const open = new Set<Promise<void>>();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => (stopped = true));
  for (let i = 0; i < plan.rate * plan.seconds && !stopped; i += 1) {
    const wait = begun + (i * 1000) / plan.rate - performance.now();
    if (wait > 0) await new Promise(resolve => setTimeout(resolve, wait));
    const path = plan.paths[i % plan.paths.length] ?? '/';
    const answered = ask(() => send(plan.url + path, i)).then(answer => {
      records.write(`${JSON.stringify(answer)}\n`);
      open.delete(answered);
    });
    open.add(answered);
  }
  await Promise.all(open);
  end();
  await new Promise(resolve => records.end(resolve));
}

if (import.meta.main) {
  const headers = JSON.parse(process.env['LOAD_HEADERS'] ?? '{}') as Record<string, string>;
  await generate(parsePlan(process.argv.slice(2)), headers);
}
