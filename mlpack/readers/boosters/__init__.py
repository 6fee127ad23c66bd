"""Model files of XGBoost, LightGBM and CatBoost as data."""
