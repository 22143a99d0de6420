/** Where the library was when it was left: its query. */

export const place = $state<{ query: Record<string, string> }>({ query: {} });
