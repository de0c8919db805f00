"""What scikit-learn asks of a classifier that is fitted already. Imports it only where it calls."""

from typing import Any, Self

from potstill.errors import PotstillError


class FittedClassifier:
    """A classifier that scikit-learn knows for one; within ``FrozenEstimator`` its meta-estimators take it."""

    def fit(self, texts: Any, labels: Any = None) -> Self:
        """What scikit-learn takes an estimator by; there is nothing to fit.

        :raises PotstillError: always.
        """
        raise PotstillError(
            "this classifier is trained already: give scikit-learn sklearn.frozen.FrozenEstimator(classifier)"
        )

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import ClassifierTags, InputTags, Tags, TargetTags

        return Tags(
            estimator_type="classifier",
            target_tags=TargetTags(required=False),
            classifier_tags=ClassifierTags(),
            input_tags=InputTags(two_d_array=False, string=True),
            requires_fit=False,
        )

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_clone__(self) -> Self:
        return self
