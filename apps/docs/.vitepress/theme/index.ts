import type { Theme } from "vitepress";
import DefaultTheme from "vitepress/theme";
import EspalierTree from "./components/EspalierTree.vue";
import LandingPage from "./components/LandingPage.vue";
import "@fontsource-variable/fraunces/wght.css";
import "./style.css";

export default {
  extends: DefaultTheme,
  enhanceApp({ app }) {
    app.component("LandingPage", LandingPage);
    app.component("EspalierTree", EspalierTree);
  },
} satisfies Theme;
