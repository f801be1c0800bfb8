// The one table of commands: arguments, help, completion and docs/reference/cli.md come from it.
import { parseArgs } from 'node:util';
import { wrap } from './draw/lines.ts';

type Flag = {
  readonly type: 'string' | 'boolean';
  readonly short?: string;
  /** In help: `--namespace NAME`. */
  readonly value?: string;
  readonly about: string;
};

const FLAGS = {
  namespace: { type: 'string', short: 'n', value: 'NAME', about: 'else the one of the kubeconfig’s context' },
  kubeconfig: { type: 'string', value: 'FILE', about: 'else KUBECONFIG, else ~/.kube/config' },
  context: { type: 'string', value: 'NAME', about: 'else the kubeconfig’s own' },
  output: { type: 'string', short: 'o', value: 'json', about: 'the model for programs, cli.devshelf.dev/v1' },
  filename: { type: 'string', short: 'f', value: 'FILE', about: 'what would be applied; -: standard input' },
  ascii: { type: 'boolean', about: 'no signs beyond ASCII' },
  'exit-code': { type: 'boolean', about: 'the exit code is the answer (kubectl devshelf --help)' },
  limit: { type: 'string', value: 'N', about: 'the newest so many lines (20)' },
  all: { type: 'boolean', about: 'of every pod, also where a release is on trial' },
  tail: { type: 'string', value: 'N', about: 'the last so many lines of each container (100)' },
  since: { type: 'string', value: 'TIME', about: 'not older than that: 90s, 15m, 2h' },
  follow: { type: 'boolean', about: '-f: goes on until Ctrl-C, with what the operator says of it' },
  'output-file': {
    type: 'string',
    short: 'O',
    value: 'FILE',
    about: 'else devshelf-report-NAME.txt; -: standard output',
  },
  watch: { type: 'boolean', short: 'w', about: 'goes on until nothing is under way any more' },
  timeout: { type: 'string', value: 'SECONDS', about: 'with -w: 4 when it takes longer (3600)' },
  'scrape-token': { type: 'boolean', about: 'the token for metrics instead' },
  'dry-run': { type: 'boolean', about: 'says what it would write, and writes nothing' },
  anyway: { type: 'boolean', about: 'although a GitOps tool applies the spec' },
  'despite-evidence': { type: 'boolean', about: 'although its figures say that it is bad (policy Hold)' },
  because: { type: 'string', value: 'TEXT', about: 'for the record' },
  'no-wait': { type: 'boolean', about: 'not until the operator has answered' },
  to: { type: 'string', value: 'RELEASE', about: 'hash, version or number of history; writes spec.image' },
  help: { type: 'boolean', short: 'h', about: 'this text' },
} as const satisfies Readonly<Record<string, Flag>>;

export type FlagName = keyof typeof FLAGS;
const EVERYWHERE: readonly FlagName[] = ['namespace', 'kubeconfig', 'context', 'output', 'ascii', 'help'];

const HAND_FLAGS: readonly FlagName[] = ['namespace', 'kubeconfig', 'context', 'dry-run', 'help'];

/** `verb resource.group/subresource`; `ours` stands for the two kinds. */
export type Right = string;

/** Right by right as an API server knows them. */
export const expanded = (right: Right): readonly Right[] =>
  right.endsWith(' ours')
    ? ['devshelfdeployments', 'dashboarddeployments'].map(plural =>
        right.replace(' ours', ` ${plural}.apps.devshelf.dev`),
      )
    : [right];

type Command = {
  readonly usage: string;
  readonly about: string;
  /** Of positional arguments, at least and at most. */
  readonly takes: readonly [number, number];
  readonly flags: readonly FlagName[];
  /** One that has to be given. */
  readonly needs?: FlagName;
  /** What a person asks. */
  readonly question: string;
  /** All that it may ask for. */
  readonly rights: readonly Right[];
  /** The built-in role that has all of them, and the operator’s beside it; held by a test on an API server. */
  readonly role: 'view' | 'edit' | 'none';
  /** What is left with fewer rights. */
  readonly less?: string;
  readonly examples: readonly string[];
};

export const COMMANDS = {
  status: {
    usage: 'status [[KIND/]NAME]',
    about:
      'What runs, and what it waits for. Without a name: one line for each resource of the namespace, the worst first.',
    takes: [0, 1],
    flags: [...EVERYWHERE, 'watch', 'timeout', 'exit-code'],
    question: 'What runs, what does it wait for, how long still?',
    rights: ['get ours', 'list ours'],
    role: 'view',
    examples: ['kubectl devshelf status', 'kubectl devshelf status dbd/dashboard -n shop -w --exit-code'],
  },
  why: {
    usage: 'why [KIND/]NAME',
    about:
      'What it waits for now, or why the last release was taken back: the figures beside the limit and the pods beside it, what serves, and what can be done.',
    takes: [1, 1],
    flags: EVERYWHERE,
    question: 'Why does it wait, why was it taken back, and what now?',
    rights: ['get ours', 'list controllerrevisions.apps'],
    role: 'view',
    less: 'without the records no incidents',
    examples: ['kubectl devshelf why dashboard -n shop', 'kubectl devshelf why dsd/api -o json'],
  },
  history: {
    usage: 'history [KIND/]NAME',
    about:
      'Releases and incidents, the newest first: what served and for how long it was watched, what was taken back, when and why.',
    takes: [1, 1],
    flags: [...EVERYWHERE, 'limit'],
    question: 'What happened last night?',
    rights: ['get ours', 'list controllerrevisions.apps'],
    role: 'view',
    examples: ['kubectl devshelf history dashboard -n shop', 'kubectl devshelf history dbd/dashboard --limit 50'],
  },
  plan: {
    usage: 'plan -f FILE',
    about:
      'What would happen if this were applied: which release it is, and every stage that follows, by the operator’s own decisions. Writes nothing.',
    takes: [0, 0],
    needs: 'filename',
    flags: ['filename', ...EVERYWHERE, 'exit-code'],
    question: 'What if I apply this?',
    rights: [
      'get ours',
      'patch ours',
      'get deployments.apps',
      'list controllerrevisions.apps',
      'list jobs.batch',
      'get secrets',
      'get configmaps',
    ],
    role: 'edit',
    less: 'with view: not checked by the API server, and whether the release was tried before is not known',
    examples: ['kustomize build . | kubectl devshelf plan -f - --exit-code', 'kubectl devshelf plan -f dashboard.yaml'],
  },
  keys: {
    usage: 'keys [KIND/]NAME',
    about: 'The keys by their ids, how far each is being replaced, and who still uses the old one. Never a key.',
    takes: [1, 1],
    flags: [...EVERYWHERE, 'exit-code'],
    question: 'Who still uses the old key?',
    rights: ['get ours'],
    role: 'view',
    examples: ['kubectl devshelf keys dashboard -n shop', 'kubectl devshelf keys dsd/api --exit-code'],
  },
  logs: {
    usage: 'logs [KIND/]NAME',
    about:
      'What its pods wrote, by time: of a release on trial its candidate, rehearsal and Jobs, else what serves; before a restart, too. Without secrets. With --follow it goes on, also with pods that come later, and with the events of the operator.',
    takes: [1, 1],
    flags: [...EVERYWHERE, 'all', 'tail', 'since', 'follow'],
    question: 'What do the pods that matter say?',
    rights: ['get ours', 'list pods', 'get pods/log', 'list events'],
    role: 'view',
    less: 'without the events no word of the operator',
    examples: [
      'kubectl devshelf logs dashboard -n shop',
      'kubectl devshelf logs dbd/dashboard -n shop --follow',
      'kubectl devshelf logs dsd/api --all --since 15m --tail 1000',
    ],
  },
  doctor: {
    usage: 'doctor',
    about:
      'What stands in the way: kinds, operator and its version, your own rights, optional kinds, Secrets that are named and not there, and what the operator says of each resource. Ends with 3 where something is wrong.',
    takes: [0, 0],
    flags: EVERYWHERE,
    question: 'Is the operator well, and what stands in the way?',
    rights: ['list ours', 'get secrets', 'get configmaps', 'get leases.coordination.k8s.io'],
    role: 'edit',
    less: 'what cannot be asked is ?; the operator itself is seen by who may read its namespace',
    examples: ['kubectl devshelf doctor -n shop', 'kubectl devshelf doctor -o json'],
  },
  report: {
    usage: 'report [KIND/]NAME',
    about:
      'One file for a ticket: status, why, history, keys, doctor, the resource with its children, events and logs. Without values of Secrets, ConfigMaps and environment variables.',
    takes: [1, 1],
    flags: ['namespace', 'kubeconfig', 'context', 'output-file', 'tail', 'since', 'help'],
    question: 'What do I give to whoever helps me?',
    rights: [
      'get ours',
      'list controllerrevisions.apps',
      'list deployments.apps',
      'list replicasets.apps',
      'list pods',
      'get pods/log',
      'list jobs.batch',
      'list services',
      'list poddisruptionbudgets.policy',
      'list networkpolicies.networking.k8s.io',
      'list horizontalpodautoscalers.autoscaling',
      'list configmaps',
      'list events',
      'list secrets',
    ],
    role: 'edit',
    less: 'with view: all but the names of Secrets',
    examples: ['kubectl devshelf report dashboard -n shop', 'kubectl devshelf report dsd/api -O - --since 1h'],
  },
  retry: {
    usage: 'retry [KIND/]NAME',
    about:
      'Tries a rejected release once more: writes spec.rollout.retryToken. Refused where a GitOps tool applies the spec, with the line to commit.',
    takes: [1, 1],
    flags: [...HAND_FLAGS, 'anyway'],
    question: 'The cause is mended: try the rejected release again?',
    rights: ['get ours', 'patch ours'],
    role: 'edit',
    examples: ['kubectl devshelf retry dashboard -n shop', 'kubectl devshelf retry dbd/dashboard --dry-run'],
  },
  pause: {
    usage: 'pause [KIND/]NAME',
    about: 'Nothing new begins: writes spec.paused. A release that is bad is taken back all the same.',
    takes: [1, 1],
    flags: [...HAND_FLAGS, 'anyway'],
    question: 'How does nothing new begin for a while?',
    rights: ['get ours', 'patch ours'],
    role: 'edit',
    examples: ['kubectl devshelf pause dashboard -n shop', 'kubectl devshelf resume dashboard -n shop'],
  },
  resume: {
    usage: 'resume [KIND/]NAME',
    about: 'It goes on after a pause: writes spec.paused.',
    takes: [1, 1],
    flags: [...HAND_FLAGS, 'anyway'],
    question: 'How does it go on?',
    rights: ['get ours', 'patch ours'],
    role: 'edit',
    examples: ['kubectl devshelf resume dashboard -n shop'],
  },
  'rotate-key': {
    usage: 'rotate-key [KIND/]NAME',
    about:
      'Asks for another key: writes an annotation, which no GitOps tool fights. No caller is cut off: the old key is accepted until all have the new one.',
    takes: [1, 1],
    flags: [...HAND_FLAGS, 'scrape-token'],
    question: 'How is a key replaced, with nobody refused?',
    rights: ['get ours', 'patch ours'],
    role: 'edit',
    examples: ['kubectl devshelf rotate-key dashboard -n shop', 'kubectl devshelf rotate-key dsd/api --scrape-token'],
  },
  migrate: {
    usage: 'migrate [KIND/]NAME',
    about:
      'Lets the migration run that waits for a person (spec.migrations.policy: Manual): writes an annotation with its id, which agrees to no other one and which no GitOps tool fights.',
    takes: [1, 1],
    flags: HAND_FLAGS,
    question: 'How do I agree to the migration that waits?',
    rights: ['get ours', 'patch ours'],
    role: 'edit',
    examples: ['kubectl devshelf migrate dashboard -n shop --dry-run', 'kubectl devshelf migrate dashboard -n shop'],
  },
  promote: {
    usage: 'promote [KIND/]NAME',
    about:
      'Lets on what is held: for want of traffic or of metrics, by hold, or, with --despite-evidence, because it is bad and the policy is Hold. Writes an annotation with its hash, which no GitOps tool fights, and waits for the answer. What is bad is never promoted under the policy Rollback.',
    takes: [1, 1],
    flags: [...HAND_FLAGS, 'despite-evidence', 'because', 'no-wait'],
    question: 'How do I let on what is held?',
    rights: ['get ours', 'patch ours'],
    role: 'edit',
    examples: [
      'kubectl devshelf promote dashboard -n shop',
      "kubectl devshelf promote dashboard --because 'smoke tested by hand'",
    ],
  },
  hold: {
    usage: 'hold [KIND/]NAME',
    about:
      'Keeps a candidate on trial until promote, reject or a newer spec. One that turns bad is taken back all the same. Writes an annotation with its hash.',
    takes: [1, 1],
    flags: [...HAND_FLAGS, 'because', 'no-wait'],
    question: 'How do I keep a candidate where it is?',
    rights: ['get ours', 'patch ours'],
    role: 'edit',
    examples: ['kubectl devshelf hold dashboard -n shop'],
  },
  reject: {
    usage: 'reject [KIND/]NAME',
    about:
      'Takes the release on trial back at once, and keeps it out. With none on trial the one that serves, for the one before it. Writes an annotation with its hash, which no GitOps tool fights.',
    takes: [1, 1],
    flags: [...HAND_FLAGS, 'because', 'no-wait'],
    question: 'This release is wrong: how does it go, and stay away?',
    rights: ['get ours', 'patch ours'],
    role: 'edit',
    examples: ["kubectl devshelf reject dashboard -n shop --because 'wrong prices'"],
  },
  rollback: {
    usage: 'rollback [KIND/]NAME',
    about:
      'Back to the release before: what reject does. With --to, to an earlier one: writes its image into the spec; refused where a GitOps tool applies the spec, with the line to commit.',
    takes: [1, 1],
    flags: [...HAND_FLAGS, 'to', 'because', 'anyway', 'no-wait'],
    question: 'How do I go back?',
    rights: ['get ours', 'patch ours', 'list controllerrevisions.apps'],
    role: 'edit',
    examples: ['kubectl devshelf rollback dashboard -n shop', 'kubectl devshelf rollback dashboard --to 1.2.0'],
  },
  completion: {
    usage: 'completion bash|zsh|fish',
    about: 'Prints what makes a shell complete commands and flags.',
    takes: [1, 1],
    flags: ['help'],
    question: 'How does my shell complete it?',
    rights: [],
    role: 'none',
    examples: ['source <(kubectl-devshelf completion bash)', 'kubectl-devshelf completion fish | source'],
  },
  version: {
    usage: 'version',
    about: 'Which version this is.',
    takes: [0, 0],
    flags: ['help'],
    question: 'Which version is this?',
    rights: [],
    role: 'none',
    examples: ['kubectl devshelf version'],
  },
} as const satisfies Readonly<Record<string, Command>>;

export type CommandName = keyof typeof COMMANDS;
export const COMMAND_NAMES = Object.keys(COMMANDS) as CommandName[];

export type Values = {
  readonly [name in FlagName]?: (typeof FLAGS)[name]['type'] extends 'string' ? string : boolean;
};

export type Parsed =
  | {
      readonly is: 'command';
      readonly command: CommandName;
      readonly names: readonly string[];
      readonly values: Values;
    }
  | { readonly is: 'help'; readonly text: string }
  | { readonly is: 'usage'; readonly text: string };

const isCommand = (word: string): word is CommandName => Object.hasOwn(COMMANDS, word);

/** Pure: argv -> what is asked for; what cannot be meant is said in words. */
export function parse(argv: readonly string[]): Parsed {
  let given: { values: Values; positionals: string[] };
  try {
    given = parseArgs({
      // elsewhere -f is a file, as in kubectl
      args: argv.map(word => (word === '-f' && argv.includes('logs') ? '--follow' : word)),
      allowPositionals: true,
      options: optionsOf(Object.keys(FLAGS) as FlagName[]),
    });
  } catch (error) {
    return { is: 'usage', text: `${(error as Error).message.split('\n')[0]}\n\n${helpOf(undefined)}` };
  }
  const { values, positionals } = given;
  const [word, ...names] = positionals;
  if (word === undefined) return { is: values.help ? 'help' : 'usage', text: helpOf(undefined) };
  if (!isCommand(word)) return { is: 'usage', text: `${word}: no such command\n\n${helpOf(undefined)}` };
  if (values.help) return { is: 'help', text: helpOf(word) };
  const fault = faultIn(word, names, values);
  if (fault !== undefined) return { is: 'usage', text: `${fault}\n\n${helpOf(word)}` };
  return { is: 'command', command: word, names, values };
}

function faultIn(command: CommandName, names: readonly string[], values: Values): string | undefined {
  const { takes, flags, usage, needs }: Command = COMMANDS[command];
  const [least, most] = takes;
  if (names.length < least || names.length > most) return `${names.length} arguments; wanted: ${usage}`;
  const foreign = (Object.keys(values) as FlagName[]).find(name => !flags.includes(name));
  if (foreign !== undefined) return `--${foreign}: ${command} has no such flag`;
  if (needs !== undefined && values[needs] === undefined) return `--${needs} is missing; wanted: ${usage}`;
  if (values.output !== undefined && values.output !== 'json') return `-o ${values.output}: json is what there is`;
  if (values.timeout !== undefined && !/^[1-9]\d{0,4}$/.test(values.timeout))
    return `--timeout ${values.timeout}: seconds, 1 to 99999`;
  if (values.watch && names.length === 0) return `-w: wanted: ${usage.replace('[[KIND/]NAME]', '[KIND/]NAME')} -w`;
  if (values.limit !== undefined && !/^[1-9]\d{0,3}$/.test(values.limit)) return `--limit ${values.limit}: 1 to 9999`;
  if (values.tail !== undefined && !/^[1-9]\d{0,4}$/.test(values.tail)) return `--tail ${values.tail}: 1 to 99999`;
  if (values.since !== undefined && secondsOf(values.since) === undefined)
    return `--since ${values.since}: a number with s, m, h or d`;
  return undefined;
}

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 };

/** `15m` in seconds. */
export function secondsOf(text: string): number | undefined {
  const [, count, unit = ''] = /^([1-9]\d{0,5})([smhd])$/.exec(text) ?? [];
  const seconds = UNITS[unit];
  return seconds === undefined ? undefined : Number(count) * seconds;
}

/** As parseArgs wants them: without what is for people. */
const optionsOf = (names: readonly FlagName[]) =>
  Object.fromEntries(
    names.map(name => {
      const { type, short }: Flag = FLAGS[name];
      return [name, { type, ...(short !== undefined && { short }) }];
    }),
  );

const flagLine = (name: FlagName): readonly [string, string] => {
  const { short, value, about }: Flag = FLAGS[name];
  return [`${short ? `-${short}, ` : '    '}--${name}${value ? ` ${value}` : ''}`, about];
};

const columns = (rows: readonly (readonly [string, string])[]): string[] => {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`);
};

/** At most 24 lines, ending with examples. */
export function helpOf(command: CommandName | undefined): string {
  if (command === undefined) {
    const rows = COMMAND_NAMES.map(name => [COMMANDS[name].usage, firstSentence(COMMANDS[name].about)] as const);
    return [
      'Usage: kubectl devshelf COMMAND [flags]',
      ...columns(rows),
      '',
      'KIND is dsd or dbd; it may be left out where one resource only has the name. COMMAND --help says more.',
      'Exit codes: 0 done; 1 the cluster, or a right; 2 usage; 3 refused, or with --exit-code stalled or not ready; 4 timeout;',
      '5 plan --exit-code: something would happen.',
      '',
    ].join('\n');
  }
  const { usage, about, flags, examples }: Command = COMMANDS[command];
  return [
    `Usage: kubectl devshelf ${usage} [flags]`,
    '',
    ...wrap(about, { width: 100 }),
    '',
    ...columns(flags.map(flagLine)),
    '',
    'Examples:',
    ...examples.map(example => `  ${example}`),
    '',
  ].join('\n');
}

const firstSentence = (text: string): string => text.split(/[.:] /)[0]?.replace(/\.$/, '') ?? text;

/** docs/reference/cli.md, whole. */
export function reference(): string {
  const rows = COMMAND_NAMES.map(name => {
    const { usage, question, rights, role, less }: Command = COMMANDS[name];
    const needs = rights
      .map(right => (right.endsWith(' ours') ? right.replace(' ours', ' the two kinds') : `\`${right}\``))
      .join(', ');
    const has = less === undefined ? role : `${role}; ${less}`;
    return `| ${question} | [\`${usage.replaceAll('|', '\\|')}\`](#${name}) | ${needs} | ${has} |`;
  });
  const sections = COMMAND_NAMES.map(name => `## ${name}\n\n\`\`\`\n${helpOf(name).trimEnd()}\n\`\`\``);
  return `<!-- made from operator/src/cli/args.ts by make generate -->
# kubectl devshelf

One command for each question, with what the user may read and write, and no right of its own.

\`\`\`sh
make cli                                            # builds build/cli/kubectl-devshelf, one file; it needs Node 20 or newer
install build/cli/kubectl-devshelf /usr/local/bin/  # on your PATH, kubectl finds it
kubectl devshelf status
\`\`\`

A [release](../releases.md#what-a-release-has) has executables for Linux and Windows that need no Node.

What V8 made of the program is kept in \`~/.cache/kubectl-devshelf\`, or below \`XDG_CACHE_HOME\`, for the user alone: that saves an eighth of a command's processor time. What another user owns or may write there is not taken. Where nothing can be kept, on Windows, and with \`NODE_DISABLE_COMPILE_CACHE=1\`, nothing is.

| The question | Command | Needs, in the resource's namespace | Role that has it |
|---|---|---|---|
${rows.join('\n')}

Roles are the built-in ones, which the operator's manifests extend by its two kinds. A write is one merge patch by the field manager \`devshelf-cli\`, valid only for the state that was looked at. What may not be read is one line of the answer, and fails nothing.

Exit codes: 0 done; 1 the cluster, or a right; 2 usage; 3 the answer is no: a request that is refused, or with \`--exit-code\` something stalled, not ready or refused; or a ✖ of \`doctor\`; 4 it took longer than \`--timeout\`; 5 \`plan --exit-code\`: something would happen. \`NO_COLOR\` and \`TERM=dumb\` are respected; what the cluster says is shown without control characters, and without what looks like a secret.

${sections.join('\n\n')}
`;
}
