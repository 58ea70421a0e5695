// The query that follows one message through the log groups of a deployment on AWS.

/** The deployment saves it under this name, with the log groups of all its stages. */
export function messageQueryName(serviceName: string): string {
  return `${serviceName}/follow-one-message`;
}

/** The field of a log line that has the message's id; the log groups have an index of it. */
export const idField = 'id';

/** In the language of Logs Insights; the earliest lines first. */
export function messageQuery(id: string, maxLines: number): string {
  return ['fields @timestamp, @message', `filter ${idField} = "${id}"`, 'sort @timestamp', `limit ${maxLines}`].join(
    '\n| ',
  );
}
