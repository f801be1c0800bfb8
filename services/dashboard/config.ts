import { z } from 'zod';
import { databaseConfig, port, processConfig } from '../common/config.ts';
import { LOG_LEVELS, logLevel } from '../common/logging.ts';

export const dashboardConfig = z
  .object({
    ...processConfig,
    ...databaseConfig,
    PORT: port(8080),
    DASHBOARD_API_KEY: z.string().optional(),
    API_KEYRING_DIR: z.string().optional(),
    DASHBOARD_LOG_LEVEL: z
      .string()
      .toLowerCase()
      .pipe(z.enum(LOG_LEVELS, `must be one of ${LOG_LEVELS.join(', ')}`))
      .default('info')
      .transform(logLevel),
  })
  .refine(
    config =>
      config.NODE_ENV !== 'production' ||
      config.DASHBOARD_API_KEY !== undefined ||
      config.API_KEYRING_DIR !== undefined,
    { path: ['API_KEYRING_DIR'], error: 'production needs API_KEYRING_DIR or DASHBOARD_API_KEY' },
  );

export type DashboardConfig = z.output<typeof dashboardConfig>;
