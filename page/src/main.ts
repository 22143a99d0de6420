import { mount } from "svelte";

import App from "./App.svelte";
import { desk } from "./lib/desk.svelte";
import { health } from "./lib/health.svelte";
import { layout } from "./lib/layout.svelte";
import { notifications } from "./lib/notifications.svelte";
import { router } from "./lib/router.svelte";
import { session } from "./lib/session.svelte";
import { theme } from "./lib/theme.svelte";
import "./style/fonts.css";
import "./style/tokens.css";
import "./style/base.css";

const target = document.getElementById("app");
if (target === null) throw new Error("index.html has no #app");
theme.begin();
layout.begin();
router.begin();
desk.begin();
health.begin();
notifications.begin();
void session.begin();
mount(App, { target });
