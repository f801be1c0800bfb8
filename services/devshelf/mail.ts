import type { Logger } from '../common/logging.ts';
import type { AuthMetrics } from './auth-metrics.ts';
import type { ApiConfig } from './config.ts';

export type Mail = { readonly to: string; readonly subject: string; readonly text: string };

export type Mailer = {
  /** Sends beside the request that asked for it; whether it arrived is in the log and the metrics only. */
  post(mail: Mail): Promise<void>;
  close(): void;
};

const CONNECT_MS = 5_000;
const SILENCE_MS = 10_000;
/** More at once are a flood: whoever is meant can ask again. */
const AT_ONCE_MAX = 20;
const CONNECTIONS = 2;

type Options = {
  readonly config: Pick<ApiConfig, 'NODE_ENV' | 'SMTP_URL' | 'MAIL_FROM'>;
  readonly logger: Logger;
  readonly metrics: Pick<AuthMetrics, 'mails'>;
};

/** Undefined where no mail server is configured: then nothing of it is loaded either. */
export function openMailer({ config, logger, metrics }: Options): Mailer | undefined {
  const { SMTP_URL: url, MAIL_FROM: from } = config;
  if (url === undefined || from === undefined) return undefined;
  const transport = import('nodemailer').then(({ createTransport }) =>
    createTransport({
      // what the URL says itself wins: smtp://relay:25/?requireTLS=false
      url,
      requireTLS: config.NODE_ENV === 'production',
      pool: true,
      maxConnections: CONNECTIONS,
      connectionTimeout: CONNECT_MS,
      greetingTimeout: CONNECT_MS,
      socketTimeout: SILENCE_MS,
      disableFileAccess: true,
      disableUrlAccess: true,
    }),
  );
  // told at the first mail
  transport.catch(() => undefined);
  let underWay = 0;
  return {
    post: async ({ to, subject, text }) => {
      if (underWay >= AT_ONCE_MAX) {
        metrics.mails.inc({ outcome: 'failed' });
        logger.warn('a mail was not sent: too many are under way');
        return;
      }
      underWay += 1;
      try {
        await (await transport).sendMail({ from, to: { name: '', address: to }, subject, text });
        metrics.mails.inc({ outcome: 'sent' });
      } catch (error) {
        metrics.mails.inc({ outcome: 'failed' });
        logger.error({ err: { ...faultOf(error) } }, 'a mail was not sent');
      } finally {
        underWay -= 1;
      }
    },
    close: () => void transport.then(opened => opened.close()).catch(() => undefined),
  };
}

/** Without the message: a server may say back whom it was for. */
function faultOf(error: unknown): {
  readonly code?: string;
  readonly responseCode?: number;
  readonly command?: string;
} {
  const { code, responseCode, command } = error as { code?: string; responseCode?: number; command?: string };
  return {
    ...(code !== undefined && { code }),
    ...(responseCode !== undefined && { responseCode }),
    // of the command its name
    ...(command !== undefined && { command: command.split(' ', 1)[0] ?? '' }),
  };
}
