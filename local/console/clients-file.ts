/** What mail programs support, beside the files of the console that are served. */
export const clientsFile = 'clients.json';
