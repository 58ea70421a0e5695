// Backup and restore of a data folder, as the command line needs them; local/backup implements them.

export type BackupProgress = { readonly what: string; readonly done: number; readonly of: number };

/** An object whose body could not be backed up, and why. */
export type LeftOutBody = { readonly key: string; readonly why: string };

export type BackupReport = {
  readonly takenAt: string;
  readonly files: number;
  readonly bodies: number;
  readonly bytes: number;
  readonly config: boolean;
  /** Bodies that were lost before the backup. */
  readonly leftOut: readonly LeftOutBody[];
  /** References of the configuration that are not in it: files elsewhere, variables of the environment. */
  readonly notIncluded: readonly string[];
};

export type BackupRequest = {
  readonly dataFolder: string;
  /** Where the backup is written: empty, or absent. */
  readonly folder: string;
  /** To be copied along. */
  readonly configPath: string | null;
  readonly nowMs: number;
  readonly progress: (step: BackupProgress) => void;
};

/** What was restored. `held`: jobs that could send mail out a second time and now wait as dead letters. */
export type RestoreReport = Pick<BackupReport, 'takenAt' | 'files' | 'bytes' | 'leftOut' | 'config'> & {
  readonly held: number;
  /** Where the data of before is now, or null. */
  readonly replaced: string | null;
};

export type RestoreRequest = {
  readonly folder: string;
  readonly dataFolder: string;
  /** Whether a data folder that holds something may be replaced; what it held is kept beside. */
  readonly replace: boolean;
  /** Whether outbound mail of the backup is sent although it may have been sent since. */
  readonly resumeDeliveries: boolean;
  readonly nowMs: number;
  readonly progress: (step: BackupProgress) => void;
};

/** Both reject with a sentence for the person at the terminal if it cannot be done; a failed backup leaves nothing. */
export type DataBackup = {
  readonly backup: (request: BackupRequest) => Promise<BackupReport>;
  readonly restore: (request: RestoreRequest) => Promise<RestoreReport>;
};
