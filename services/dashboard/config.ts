import * as z from 'zod';
import { databaseConfig, overloadConfig, port, processConfig } from '../common/config.ts';
import { fileRotation } from '../common/log-rotation.ts';
import { LOG_LEVELS, logLevel } from '../common/logging.ts';
import { trustedProxies } from '../common/proxy.ts';
import { publicHosts } from '../common/public-hosts.ts';

const TRUE = ['true', '1', 'yes', 'on'];
const FALSE = ['false', '0', 'no', 'off'];

const flag = (fallback: boolean) =>
  z
    .string()
    .transform(word => word.trim().toLowerCase())
    .pipe(z.enum([...TRUE, ...FALSE], 'must be true or false'))
    .transform(word => TRUE.includes(word))
    .default(fallback);

const wholeNumber = (what: string, min: number, max: number, fallback: number) => {
  const wrong = `must be ${what}, ${min} to ${max}`;
  return z.coerce.number(wrong).int(wrong).min(min, wrong).max(max, wrong).default(fallback);
};

const splitList = (text: string) =>
  text
    .split(',')
    .map(entry => entry.trim())
    .filter(entry => entry !== '');

const list = z.string().transform(splitList);

/** A name, a name after `*.`, an address; no port, for the port is not compared. */
const HOST_PATTERN = /^(\*|(\*\.)?[\w-]+(\.[\w-]+)*|\[[0-9a-f:.]+\])$/i;

/** As a browser says it: no path, no default port, and no wildcard, which would match nothing. */
const isOrigin = (text: string) => text === URL.parse(text)?.origin && /^https?:/.test(text) && !text.includes('*');

const DAY_SECONDS = 86_400;

const secret = z
  .string()
  .regex(/^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/, 'must be printable ASCII: it travels in a header');

const KEY_MIN = 16;
const KEY_MIN_DIFFERENT = 6;

/** What is wrong with a key that opens the API, or undefined. */
export function keyWeakness(key: string): string | undefined {
  if (key.length < KEY_MIN) return `must have at least ${KEY_MIN} characters`;
  if (new Set(key).size < KEY_MIN_DIFFERENT) return `must have at least ${KEY_MIN_DIFFERENT} different characters`;
  if (/change.?me/i.test(key)) return 'is an example: choose one of your own';
  return undefined;
}

const KEYS = ['DASHBOARD_API_KEY', 'DASHBOARD_UI_API_KEY'] as const;

export const dashboardConfig = z
  .object({
    ...processConfig,
    ...databaseConfig,
    ...overloadConfig,
    PORT: port(8080),
    DASHBOARD_API_KEY: secret.optional(),
    API_KEYRING_DIR: z.string().optional(),
    DASHBOARD_UI_API_KEY: secret.optional(),
    DASHBOARD_ALLOWED_HOSTS: list
      .refine(
        hosts => hosts.every(host => HOST_PATTERN.test(host)),
        'must be host names separated by commas, for example dashboard.example.com,*.example.org',
      )
      .default(['*']),
    DASHBOARD_FORCE_HTTPS: flag(false),
    DASHBOARD_ENABLE_HSTS: flag(false),
    DASHBOARD_CORS_ORIGINS: z
      .string()
      .transform(text => splitList(text.toLowerCase()))
      .refine(
        origins => origins.every(origin => origin === '*' || isOrigin(origin)),
        'must be origins separated by commas, for example https://shop.example.com: no path, no :443, no *.name',
      )
      .default([]),
    DASHBOARD_RATELIMIT_ENABLED: flag(true),
    DASHBOARD_RATELIMIT_WINDOW: wholeNumber('a number of seconds', 1, DAY_SECONDS, 60),
    DASHBOARD_RATELIMIT_MAX: wholeNumber('a number of requests', 1, 1_000_000_000, 120),
    DASHBOARD_CACHE_SECONDS: wholeNumber('a number of seconds (0 keeps nothing)', 0, DAY_SECONDS, 30),
    TRUST_PROXY: trustedProxies,
    PUBLIC_HOSTS: publicHosts,
    DASHBOARD_LOG_LEVEL: z
      .string()
      .toLowerCase()
      .pipe(z.enum(LOG_LEVELS, `must be one of ${LOG_LEVELS.join(', ')}`))
      .default('info')
      .transform(logLevel),
    DASHBOARD_LOG_DIR: z.string().optional(),
    DASHBOARD_LOG_ROTATE_WHEN: fileRotation.default({ every: 'midnight' }),
    DASHBOARD_LOG_BACKUP_COUNT: wholeNumber('a number of files (0 keeps all)', 0, 10_000, 7),
  })
  .refine(
    config =>
      config.NODE_ENV !== 'production' ||
      config.DASHBOARD_API_KEY !== undefined ||
      config.API_KEYRING_DIR !== undefined,
    { path: ['API_KEYRING_DIR'], error: 'production needs API_KEYRING_DIR or DASHBOARD_API_KEY', when: () => true },
  )
  .refine(
    config => config.DASHBOARD_UI_API_KEY === undefined || config.DASHBOARD_UI_API_KEY !== config.DASHBOARD_API_KEY,
    { path: ['DASHBOARD_UI_API_KEY'], error: 'must not be DASHBOARD_API_KEY: it opens less', when: () => true },
  )
  .refine(config => !config.DASHBOARD_FORCE_HTTPS || config.TRUST_PROXY !== false, {
    path: ['DASHBOARD_FORCE_HTTPS'],
    error: 'needs TRUST_PROXY: only a proxy can say that a client came by HTTPS, and without it nobody ever gets in',
  })
  .superRefine(
    (config, context) => {
      if (config.NODE_ENV !== 'production') return;
      for (const name of KEYS) {
        const message = config[name] === undefined ? undefined : keyWeakness(config[name]);
        if (message !== undefined) context.addIssue({ code: 'custom', path: [name], message });
      }
    },
    // also when another variable is wrong: all faults are listed at once
    { when: () => true },
  );

export type DashboardConfig = z.output<typeof dashboardConfig>;
