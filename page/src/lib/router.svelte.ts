/** Where the page is: the present route, by the history API. Links are plain `<a href>`. */

import { pathOf, routeOf, type Route } from "./router";

const OWN = ["/api", "/files", "/export", "/health", "/metrics", "/auth", "/static"]; // the server's

class Router {
  route = $state.raw<Route>(routeOf(location.pathname));
  /** The query's parameters; a view keeps its search and filters here, so that they survive. */
  query = $state.raw(new URLSearchParams(location.search));

  begin() {
    addEventListener("popstate", () => this.read());
    document.addEventListener("click", (event) => this.onClick(event));
  }

  go(route: Route, options: { replace?: boolean; query?: Record<string, string> } = {}) {
    const query = new URLSearchParams(options.query).toString();
    this.push(pathOf(route) + (query && `?${query}`), options.replace);
  }

  /** Go to an address of the page that was asked for before signing in, or to the decks. */
  enter(address: string | null) {
    const isOwn = address !== null && /^\/(?!\/)/.test(address) && routeOf(address.split("?")[0] ?? "").name !== "login";
    this.push(isOwn ? address : pathOf({ name: "decks" }), true);
  }

  /** Change the query in place, without a new entry in the history. */
  setQuery(changes: Record<string, string | null>) {
    const query = new URLSearchParams(this.query);
    for (const [key, value] of Object.entries(changes)) {
      if (value === null || value === "") query.delete(key);
      else query.set(key, value);
    }
    const text = query.toString();
    this.push(location.pathname + (text && `?${text}`), true);
  }

  private push(address: string, replace = false) {
    if (replace) history.replaceState(null, "", address);
    else history.pushState(null, "", address);
    this.read();
  }

  private read() {
    const route = routeOf(location.pathname);
    if (pathOf(route) !== pathOf(this.route) || route.name !== this.route.name) this.route = route;
    this.query = new URLSearchParams(location.search);
  }

  private onClick(event: MouseEvent) {
    if (event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey) return;
    const link = event.target instanceof Element ? event.target.closest("a") : null;
    if (!link || link.target || link.hasAttribute("download") || link.origin !== location.origin) return;
    if (OWN.some((prefix) => link.pathname === prefix || link.pathname.startsWith(`${prefix}/`))) return;
    if (link.hash && link.pathname === location.pathname) return;
    event.preventDefault();
    if (link.pathname + link.search !== location.pathname + location.search) this.push(link.pathname + link.search);
  }
}

export const router = new Router();
