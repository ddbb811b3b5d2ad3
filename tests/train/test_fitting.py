"""The same rows make the same bytes; the better candidate is chosen before anybody looks at the holdout."""

import numpy as np
import pytest

from lifecycle.columns import Column
from lifecycle.features import FeatureSpec, fit
from lifecycle.spec import Product, parse
from lifecycle.training import Candidate
from tasks.training import Data, Fitted, choose, fit_candidate, gains, predict
from tests.train.conftest import PRODUCT, orders


def data(seed: int = 0, rows: int = 1200) -> Data:
    frame = orders(seed, rows)
    spec = FeatureSpec((Column("weight", "double"), Column("city", "string")), ("weight",), {"city": 10})
    columns = {name: frame[name].to_numpy() for name in ("weight", "city")}
    fitted = fit(spec, columns)
    return Data(fitted.transform(columns), frame["returned"].to_numpy(np.float64), fitted)


def product(text: str = PRODUCT) -> Product:
    return parse(text, source="product.yaml")


FIT, STOP = np.arange(900), np.arange(900, 1000)
WHOLE = Candidate("all", FIT, np.arange(1000))


def test_fitting_again_makes_the_same_bytes() -> None:
    first, again = (fit_candidate(product(), data(), WHOLE, STOP) for _ in range(2))
    assert first == again
    other = fit_candidate(product(PRODUCT.replace("max_rounds: 30", "max_rounds: 30, seed: 18")), data(), WHOLE, STOP)
    assert other.model != first.model


def test_the_final_model_saw_the_early_stopping_rows_and_no_later_ones() -> None:
    """With one tree there is no size to choose, so only the rows it was fitted on can make a difference."""
    one_tree, shown, hidden = product(PRODUCT.replace("max_rounds: 30", "max_rounds: 1")), data(), data()
    hidden.labels[1000:] = 1 - hidden.labels[1000:]
    assert fit_candidate(one_tree, shown, WHOLE, STOP) == fit_candidate(one_tree, hidden, WHOLE, STOP)
    hidden.labels[STOP] = 1 - hidden.labels[STOP]
    assert fit_candidate(one_tree, shown, WHOLE, STOP).model != fit_candidate(one_tree, hidden, WHOLE, STOP).model


def test_a_model_answers_missing_and_unseen_values() -> None:
    fitted, seen = fit_candidate(product(), data(), WHOLE, STOP), data()
    matrix = seen.features.transform(
        {"weight": np.array([np.nan, 5.0]), "city": np.array([None, "Atlantis"], dtype=object)}
    )
    answers = predict(fitted.model, matrix)
    assert ((answers > 0) & (answers < 1)).all()


def test_gains_are_shares_of_named_features() -> None:
    found = gains(fit_candidate(product(), data(), WHOLE, STOP).model)
    assert set(found) <= {"weight", "city"}
    assert sum(found.values()) == pytest.approx(1)
    assert list(found.values()) == sorted(found.values(), reverse=True)


def test_columns_may_be_called_what_xgboost_refuses() -> None:
    frame = orders(0, 1000)
    spec = FeatureSpec(
        (Column("weight [kg]", "double"), Column("weight (kg)", "double")), ("weight [kg]", "weight (kg)")
    )
    columns = {name: frame["weight"].to_numpy() for name in ("weight [kg]", "weight (kg)")}
    fitted = fit(spec, columns)
    odd = Data(fitted.transform(columns), frame["returned"].to_numpy(np.float64), fitted)
    assert set(gains(fit_candidate(product(), odd, WHOLE, STOP).model)) <= {"weight (kg)", "weight (kg)'"}


def shaped(task: str, metric: str) -> Product:
    changed = PRODUCT.replace("task: binary", f"task: {task}").replace("metric: auc", f"metric: {metric}")
    return product(changed.replace("floors: { auc: 0.55 }", "floors: {}"))


def test_many_classes_get_a_probability_each_in_the_order_of_their_codes() -> None:
    seen = data()
    rare = np.where(np.arange(1200) % 100 == 0, 2.0, seen.labels)  # one row in a hundred
    later = np.where(np.arange(1200) == 1100, 3.0, rare)  # a class that only the holdout has
    many = Data(seen.matrix, later, seen.features, ("0", "1", "2", "3"), 3)
    fitted = fit_candidate(shaped("multiclass", "log_loss"), many, WHOLE, STOP)
    answers = predict(fitted.model, many.matrix)
    assert answers.shape == (1200, 3)
    np.testing.assert_allclose(answers.sum(axis=1), 1, atol=1e-5)
    assert (answers[:, 1] - answers[:, 0])[later == 1].mean() > (answers[:, 1] - answers[:, 0])[later == 0].mean()
    assert np.isfinite(fitted.stopping_score)


def test_counts_are_expected_numbers_and_never_negative() -> None:
    seen = data()
    weight = seen.matrix[:, 0].astype(np.float64)
    counts = np.random.default_rng(1).poisson(weight / 4).astype(float)
    fitted = fit_candidate(shaped("counts", "poisson_deviance"), Data(seen.matrix, counts, seen.features), WHOLE, STOP)
    answers = predict(fitted.model, seen.matrix)
    assert answers.min() > 0
    assert np.corrcoef(answers, weight)[0, 1] > 0.9


def test_the_better_candidate_on_the_early_stopping_rows_is_chosen_and_the_first_of_equals() -> None:
    scored = {"all": 0.70, "recent": 0.72, "same": 0.72, "broken": float("nan")}
    fitted = [Fitted(name, b"", 1, score, 1) for name, score in scored.items()]
    assert choose("auc", fitted).name == "recent"
    assert choose("rmse", fitted).name == "all"
