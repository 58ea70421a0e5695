// What AWS asks for, us-east-1, US dollars, free tiers left out. Read in November 2026 from the pages and price lists
// that docs/cost.md names; check them before you decide by them.

/** The day the prices were read. */
export const pricesReadOn = '2026-11-21';

/** Dollars per unit; the unit is in the name. `hour` prices run 730 hours a month. */
export const prices = {
  s3: { perPut: 5 / 1e6, perGet: 0.4 / 1e6, perGiBMonth: 0.023 },
  sqs: { perRequest: 0.4 / 1e6, fairQueueExtra: 0.1 / 1e6, bytesPerRequest: 64 * 1024 },
  lambdaArm: { perRequest: 0.2 / 1e6, perGiBSecond: 0.0000133334 },
  fargateArm: { perCpuHour: 0.03238, perGiBHour: 0.00356 },
  /** Of the price, what a task on Spot costs: AWS says up to 70 % less, and changes it with demand; assumed are 60. */
  fargateSpotShare: 0.4,
  loadBalancer: { perHour: 0.0225, perCapacityUnitHour: 0.006, gibPerCapacityUnitHour: 1 },
  publicIpv4PerHour: 0.005,
  nat: { perHour: 0.045, perGiB: 0.045 },
  cloudWatch: { perLogGiB: 0.5, perStoredLogGiBMonth: 0.03, perMetric: 0.3, perDashboard: 3, perAlarm: 0.1 },
  secretPerMonth: 0.4,
  perSecretRead: 0.05 / 1e4,
  /** About a gigabyte of the listener's images, $0.10 a GB-month. */
  imageStoragePerMonth: 0.1,
  ses: { perSentMail: 0.16 / 1e3, perMail: 0.1 / 1e3, perFullChunk: 0.09 / 1e3, chunkBytes: 256 * 1024 },
  mailManager: { endpointPerMonth: 50, perMail: 0.15 / 1e3 },
  sns: { perPublish: 0.5 / 1e6 },
  eventBridge: { perEvent: 1 / 1e6 },
  transfer: { outPerGiB: 0.09 },
} as const;
