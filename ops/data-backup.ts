// Backing a data folder up and putting it back, as the command line asks for it; local/backup does it.

/** How far a long piece of work is: what is being done, and how much of it. */
export type BackupProgress = { readonly what: string; readonly done: number; readonly of: number };

/** An object whose body could not be backed up, and why (its file is missing, has another length, another SHA-256). */
export type LeftOutBody = { readonly key: string; readonly why: string };

/** What a backup holds. Bytes are those of all its files. */
export type BackupReport = {
  readonly takenAt: string;
  readonly files: number;
  readonly bodies: number;
  readonly bytes: number;
  /** Whether the configuration was copied too. */
  readonly config: boolean;
  /** Bodies that were lost before, and so are not in it. */
  readonly leftOut: readonly LeftOutBody[];
  /** References of the configuration that are not in it: files elsewhere, variables of the environment. */
  readonly notIncluded: readonly string[];
};

export type BackupRequest = {
  readonly dataFolder: string;
  /** Where it goes: a folder that is empty or not there. */
  readonly folder: string;
  /** The configuration file to copy along, or null. */
  readonly configPath: string | null;
  readonly nowMs: number;
  readonly progress: (step: BackupProgress) => void;
};

/** What was restored. `held`: jobs that could send mail out a second time and now wait as dead letters. */
export type RestoreReport = Pick<BackupReport, 'takenAt' | 'files' | 'bytes' | 'leftOut' | 'config'> & {
  readonly held: number;
  /** Where the data lies that was there before, or null. */
  readonly replaced: string | null;
};

export type RestoreRequest = {
  readonly folder: string;
  readonly dataFolder: string;
  /** Whether a data folder that holds something may be replaced; what it held is kept beside. */
  readonly replace: boolean;
  /** Whether mail on its way out at the time of the backup is sent although it may have been sent since. */
  readonly resumeDeliveries: boolean;
  readonly nowMs: number;
  readonly progress: (step: BackupProgress) => void;
};

/** Both reject with a sentence for the person at the terminal if it cannot be done; a failed backup leaves nothing. */
export type DataBackup = {
  readonly backup: (request: BackupRequest) => Promise<BackupReport>;
  readonly restore: (request: RestoreRequest) => Promise<RestoreReport>;
};
