// kubectl-devshelf: argv -> command -> exit code. It reads what the user may read and brings no right of its own.
// Exit codes: 0 done; 1 the cluster, or a right; 2 usage; 3 the answer is no; 4 it took too long;
// 5 a plan would do something.
import { writeFileSync } from 'node:fs';
import { type CommandName, parse, secondsOf, type Values } from './args.ts';
import { completion, isShell } from './completion.ts';
import type { Terminal } from './draw/lines.ts';
import type { Cluster } from './gather.ts';
import { plain, safe } from './safe.ts';
import type { Ask as GateAsk } from './views/gates.ts';
import { type Hand, handOf, isHand } from './views/hands.ts';
import type { Entry } from './views/history.ts';
import type { PlanModel } from './views/plan.ts';
import type { Section } from './views/report.ts';
import type { SeenResource } from './views/status.ts';

/** Where the lines go, and what is known about who reads them. */
export type Out = {
  readonly terminal: Terminal;
  /** Epoch milliseconds. */
  readonly now: () => number;
  readonly isTerminal: boolean;
  write(text: string): void;
  fail(text: string): void;
  /** Ends what goes on; absent: Ctrl-C does. */
  readonly signal?: AbortSignal;
};

/** @returns the exit code */
export async function run(argv: readonly string[], out: Out): Promise<number> {
  const asked = parse(argv);
  if (asked.is !== 'command') {
    (asked.is === 'help' ? out.write : out.fail)(asked.text);
    return asked.is === 'help' ? 0 : 2;
  }
  const { command, names, values } = asked;
  try {
    return isAlone(command) ? await alone(command, names, out) : await ofCluster(command, names, values, out);
  } catch (error) {
    out.fail(`${plain((error as Error).message)}\n`);
    return 1;
  }
}

/** What needs no cluster. */
type Alone = 'completion' | 'version';
const isAlone = (command: CommandName): command is Alone => command === 'completion' || command === 'version';
type OfCluster = Exclude<CommandName, Alone>;

async function alone(command: Alone, [name = '']: readonly string[], out: Out): Promise<number> {
  if (command === 'version') {
    const { OPERATOR_VERSION } = await import('../version.ts');
    out.write(`kubectl-devshelf ${OPERATOR_VERSION}\n`);
    return 0;
  }
  if (isShell(name)) out.write(completion(name));
  else out.fail(`${name}: bash, zsh and fish are the shells\n`);
  return isShell(name) ? 0 : 2;
}

async function ofCluster(command: OfCluster, [name]: readonly string[], values: Values, out: Out): Promise<number> {
  // loaded late: help and wrong arguments are answered without any library
  const { connect } = await import('./gather.ts');
  const cluster = await connect(values);
  const terminal = values.ascii ? { ...out.terminal, unicode: false } : out.terminal;
  try {
    if (isHand(command)) return await hand(command, await cluster.one(name ?? ''), { cluster, values, out });
    if (command === 'report') return await report(cluster, name ?? '', values, out);
    if (values.follow) return await follow(cluster, name ?? '', values, { ...out, terminal });
    if (values.watch) return await watch(cluster, name ?? '', values, { ...out, terminal });
    const answer = await ANSWERS[command](cluster, name, values, out.now());
    const isJson = values.output === 'json';
    out.write(isJson ? json(answer.model) : `${answer.draw(terminal, out.now()).join('\n')}\n`);
    return answer.verdict ?? (values['exit-code'] ? (answer.code ?? 0) : 0);
  } finally {
    await cluster.close();
  }
}

const json = (model: object): string => `${JSON.stringify({ apiVersion: 'cli.devshelf.dev/v1', ...model }, null, 2)}\n`;

type Answer = {
  readonly model: object;
  readonly draw: (terminal: Terminal, now: number) => readonly string[];
  /** With --exit-code. */
  readonly code?: number;
  /** Without. */
  readonly verdict?: number;
};
/** `now`: epoch milliseconds. */
type Ask = (cluster: Cluster, name: string | undefined, values: Values, now: number) => Promise<Answer>;

const LIMIT = 20;

const status: Ask = async (cluster, name) => {
  const [{ statusView, worstFirst }, { drawLine, drawStatus }] = await Promise.all([
    import('./views/status.ts'),
    import('./draw/status.ts'),
  ]);
  const seen = name === undefined ? await cluster.all() : [await cluster.one(name)];
  const items = worstFirst(seen.map(statusView));
  return {
    model: { items },
    code: items.some(({ state }) => state === 'stalled' || state === 'not ready') ? 3 : 0,
    draw: (terminal, now) => {
      if (items.length === 0) return ['no resources'];
      return items.flatMap(item => (name === undefined ? [drawLine(item, terminal)] : drawStatus(item, terminal, now)));
    },
  };
};

const why: Ask = async (cluster, name = '') => {
  const [{ whyView }, { historyView }, { drawWhy }] = await Promise.all([
    import('./views/why.ts'),
    import('./views/history.ts'),
    import('./draw/why.ts'),
  ]);
  const seen = await cluster.one(name);
  const { records, unread } = await cluster.recordsOf(seen);
  const model = whyView(seen, { entries: historyView(records), ...(unread !== undefined && { unread }) });
  return { model, draw: (terminal, now) => drawWhy(model, terminal, now) };
};

const history: Ask = async (cluster, name = '', { limit }) => {
  const [{ historyView }, { drawHistory }] = await Promise.all([
    import('./views/history.ts'),
    import('./draw/history.ts'),
  ]);
  const { records, unread } = await cluster.recordsOf(await cluster.one(name));
  const items = historyView(records).slice(0, Number(limit ?? LIMIT));
  return {
    model: { items, ...(unread !== undefined && { unread }) },
    draw: (terminal, now) => (unread === undefined ? drawHistory(items, terminal, now) : [`history: ${unread}`]),
  };
};

const plan: Ask = async (cluster, _name, { filename = '', namespace }, now) => {
  const [{ readGiven, planFacts }, { planView }, { drawPlan }] = await Promise.all([
    import('./gather-plan.ts'),
    import('./views/plan.ts'),
    import('./draw/plan.ts'),
  ]);
  const { given, others } = await readGiven(filename, namespace);
  const items: PlanModel[] = [];
  for (const one of given) items.push(safe(planView(await planFacts(cluster.reach, one, now))));
  const isRefused = items.some(({ end }) => end === 'refused');
  const isDoing = items.some(({ change, steps }) => change !== 'unchanged' || steps.length > 0);
  return {
    model: { items, others },
    code: isRefused ? 3 : isDoing ? 5 : 0,
    draw: terminal => [
      ...items.flatMap((item, n) => [...(n > 0 ? [''] : []), ...drawPlan(item, terminal)]),
      ...(others > 0 ? [`${others} other objects of the file were not looked at`] : []),
    ],
  };
};

const keys: Ask = async (cluster, name = '') => {
  const [{ keysView }, { drawKeys }] = await Promise.all([import('./views/keys.ts'), import('./draw/keys.ts')]);
  const model = keysView(await cluster.one(name));
  return {
    model,
    code: model.state === 'held' ? 3 : 0,
    draw: (terminal, now) => drawKeys(model, terminal, now),
  };
};

const doctor: Ask = async (cluster, _name, _values, now) => {
  const [{ doctorFacts }, { doctorView }, { drawDoctor }, { OPERATOR_VERSION }] = await Promise.all([
    import('./gather-doctor.ts'),
    import('./views/doctor.ts'),
    import('./draw/doctor.ts'),
    import('../version.ts'),
  ]);
  const checks = safe(doctorView(await doctorFacts(cluster, now), OPERATOR_VERSION));
  return {
    model: { checks },
    verdict: checks.some(({ is }) => is === 'bad') ? 3 : 0,
    draw: terminal => drawDoctor(checks, terminal),
  };
};

const TAIL = 100;
const LOG_BYTES = 10 * 1024 * 1024;

const logs: Ask = async (cluster, name = '', { all, tail, since }) => {
  const [{ logsFacts }, { logsView }, { drawLogs }] = await Promise.all([
    import('./gather-logs.ts'),
    import('./views/logs.ts'),
    import('./draw/logs.ts'),
  ]);
  const sinceSeconds = since === undefined ? undefined : secondsOf(since);
  const bounds = {
    ...{ tail: Number(tail ?? TAIL), maxBytes: LOG_BYTES },
    ...(sinceSeconds !== undefined && { sinceSeconds }),
  };
  const model = logsView(await logsFacts(cluster.reach, await cluster.one(name), { isAll: all === true, bounds }));
  return { model, draw: terminal => drawLogs(model, terminal) };
};

/** What is read each time overlaps the time before: nodes’ clocks differ, and a line takes a moment to be there. */
const OVERLAP_SECONDS = 5;

/** Until it is ended. An API server that is away for a while is a note, once. */
async function follow(cluster: Cluster, name: string, values: Values, out: Out): Promise<number> {
  const [{ eventsFacts, logsFacts }, { decisionLine, logsView, newsIn }, { drawLogs, widthOf }, { setTimeout: pause }] =
    await Promise.all([
      import('./gather-logs.ts'),
      import('./views/logs.ts'),
      import('./draw/logs.ts'),
      import('node:timers/promises'),
    ]);
  const seen = await cluster.one(name);
  const { since, tail } = values;
  const given = since === undefined ? undefined : secondsOf(since);
  let bounds: Parameters<typeof logsFacts>[2]['bounds'] = {
    ...{ tail: Number(tail ?? TAIL), maxBytes: LOG_BYTES },
    ...(given !== undefined && { sinceSeconds: given }),
  };
  let shown: Parameters<typeof newsIn>[1] = new Map();
  // those of the last hour are `kubectl describe`'s
  let told: ReadonlySet<string> | undefined;
  let noted: ReadonlySet<string> = new Set();
  let width = 0;
  while (!out.signal?.aborted) {
    const readAt = out.now();
    const isAll = values.all === true;
    const [read, { events, unread }] = await Promise.all([
      logsFacts(cluster.reach, seen, { isAll, bounds }),
      eventsFacts(cluster.reach, seen),
    ]);
    const news = newsIn(read, shown);
    const { items, notes } = logsView(news.facts);
    const said = events.map(event => JSON.stringify(decisionLine(event)));
    const decisions = said.filter(line => told !== undefined && !told.has(line)).map(line => JSON.parse(line));
    // that a container has written nothing new is no news
    const notices = [...notes.filter(note => !note.endsWith(': nothing')), ...(unread === undefined ? [] : [unread])];
    const lines = [...items, ...decisions].sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
    width = Math.max(width, widthOf(lines));
    const fresh = { items: lines, notes: notices.filter(note => !noted.has(note)) };
    const text =
      values.output === 'json' ? lines.map(line => JSON.stringify(line)) : drawLogs(fresh, out.terminal, width);
    if (text.length > 0) out.write(`${text.join('\n')}\n`);
    shown = read.unread === undefined ? news.shown : shown;
    if (unread === undefined) told = new Set(said);
    noted = new Set(notices);
    await pause(EVERY_MS);
    if (read.unread === undefined)
      bounds = { maxBytes: LOG_BYTES, sinceSeconds: Math.ceil((out.now() - readAt) / 1_000) + OVERLAP_SECONDS };
    else if (bounds.sinceSeconds !== undefined && bounds.tail === undefined)
      bounds = { ...bounds, sinceSeconds: bounds.sinceSeconds + Math.ceil((out.now() - readAt) / 1_000) };
  }
  return 0;
}

type Reach = { readonly cluster: Cluster; readonly values: Values; readonly out: Out };

async function hand(asked: Hand, seen: SeenResource, { cluster, values, out }: Reach): Promise<number> {
  const { to, because } = values;
  const how = {
    ...{ now: out.now(), scrapeToken: values['scrape-token'] === true, anyway: values.anyway === true },
    ...{ despiteEvidence: values['despite-evidence'] === true, because },
    ...(to !== undefined && { to: { release: to, entries: await entriesOf(cluster, seen) } }),
  };
  const found = handOf(asked, seen, how);
  const { kind, metadata } = seen;
  const name = `${kind}/${metadata.name}`;
  if (found.is === 'refused') {
    out.fail(`${name}: refused: ${found.why}\n`);
    return 3;
  }
  if (!values['dry-run']) await cluster.patch(seen, found.patch);
  out.write(`${name}: ${values['dry-run'] ? 'would be written' : 'written'}: ${found.what}\n`);
  if (!found.ask || values['dry-run'] || values['no-wait']) return 0;
  return await answered(found.ask, seen, { cluster, values, out });
}

async function entriesOf(cluster: Cluster, seen: SeenResource): Promise<readonly Entry[]> {
  const { historyView } = await import('./views/history.ts');
  const { records, unread } = await cluster.recordsOf(seen);
  if (unread !== undefined) throw new Error(`releases: ${unread}`);
  return historyView(records);
}

const ANSWER_MS = 10_000;
const ASK_EVERY_MS = 500;

/** The operator says what it did, or why not. */
async function answered(ask: GateAsk, { kind, metadata }: SeenResource, { cluster, out }: Reach): Promise<number> {
  const [{ answerTo }, { shortOf }, { setTimeout: pause }] = await Promise.all([
    import('./views/gates.ts'),
    import('./views/status.ts'),
    import('node:timers/promises'),
  ]);
  const named = shortOf({ kind, name: metadata.name });
  const until = out.now() + ANSWER_MS;
  for (;;) {
    const answer = answerTo(ask, await cluster.one(named));
    if (answer?.result === 'Done') out.write(`${answer.message}\n`);
    else if (answer) out.fail(`${answer.message}\n`);
    if (answer) return answer.result === 'Done' ? 0 : 3;
    if (out.now() >= until) {
      out.fail(`not answered within 10 s; it stays asked for: see kubectl devshelf why ${named}, and doctor\n`);
      return 4;
    }
    await pause(ASK_EVERY_MS);
  }
}

/** As a person would see it, without a terminal. */
const PAPER: Terminal = { width: 120, colour: false, unicode: true };
const REPORT_TAIL = '2000';

async function report(cluster: Cluster, name: string, values: Values, out: Out): Promise<number> {
  const [{ objectSections }, { reportText }] = await Promise.all([
    import('./gather-report.ts'),
    import('./views/report.ts'),
  ]);
  const seen = await cluster.one(name);
  const asked = { all: true, tail: REPORT_TAIL, ...values };
  const section = async (title: string, ask: Ask): Promise<Section> => {
    try {
      const answer = await ask(cluster, name, asked, out.now());
      return { title, lines: answer.draw(PAPER, out.now()) };
    } catch (error) {
      return { title, lines: [], unread: (error as Error).message };
    }
  };
  const asks = Object.entries({ status, why, history, keys, doctor, logs });
  const [told, objects] = await Promise.all([
    Promise.all(asks.map(([title, ask]) => section(title, ask))),
    objectSections(cluster.reach, seen),
  ]);
  const text = reportText([...told, ...objects], new Date(out.now()).toISOString());
  const file = values['output-file'] ?? `devshelf-report-${seen.metadata.name}.txt`;
  if (file === '-') out.write(text);
  else {
    // never over another one, and for nobody else to read
    writeFileSync(file, text, { flag: 'wx', mode: 0o600 });
    out.write(`${file}: read it before you give it away\n`);
  }
  return 0;
}

const EVERY_MS = 1_000;
const PATIENCE_SECONDS = 3_600;

/** Until nothing is under way. */
async function watch(cluster: Cluster, name: string, values: Values, out: Out): Promise<number> {
  const [{ statusView }, { drawLine, drawStatus }, { Picture }, { setTimeout: pause }] = await Promise.all([
    import('./views/status.ts'),
    import('./draw/status.ts'),
    import('./terminal.ts'),
    import('node:timers/promises'),
  ]);
  const picture = new Picture(out);
  const until = out.now() + 1_000 * Number(values.timeout ?? PATIENCE_SECONDS);
  for (;;) {
    const now = out.now();
    const model = statusView(await cluster.one(name));
    const stage = model.stage ? `  ${model.stage.name}` : '';
    picture.show(drawStatus(model, out.terminal, now), `${drawLine(model, out.terminal)}${stage}`, now);
    if (model.state !== 'under way' && model.state !== 'unknown')
      return values['exit-code'] && model.state !== 'ready' ? 3 : 0;
    if (now >= until) {
      out.fail(`still under way after ${values.timeout ?? PATIENCE_SECONDS} s\n`);
      return 4;
    }
    await pause(EVERY_MS);
  }
}

const ANSWERS: Readonly<Record<Exclude<OfCluster, Hand | 'report'>, Ask>> = {
  status,
  why,
  history,
  plan,
  keys,
  logs,
  doctor,
};

if (import.meta.main) {
  const tty = process.stdout.isTTY && process.env['TERM'] !== 'dumb';
  // not awaited at the top: a single executable is one script, not a module
  void run(process.argv.slice(2), {
    terminal: {
      width: process.stdout.columns ?? 120,
      colour: tty && !process.env['NO_COLOR'],
      unicode: /utf-?8/i.test(process.env['LC_ALL'] ?? process.env['LC_CTYPE'] ?? process.env['LANG'] ?? ''),
    },
    now: Date.now,
    isTerminal: tty,
    write: text => void process.stdout.write(text),
    fail: text => void process.stderr.write(text),
  }).then(code => {
    process.exitCode = code;
  });
}
